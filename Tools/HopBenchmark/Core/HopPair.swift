import Transport

/// How the two sides of a hop reach each other.
public enum HopTransport: String, Codable, CaseIterable, Sendable {
    case tcp
    case ipc
    case inproc
}

/// A link that is measured.
public struct HopLink: Codable, Equatable, Hashable, Sendable {
    public var transport: HopTransport
    public var isEncrypted: Bool

    public init(_ transport: HopTransport, isEncrypted: Bool = false) {
        self.transport = transport
        self.isEncrypted = isEncrypted
    }

    /// Every link that there is; within a process there is nothing to encrypt.
    public static let all = [
        HopLink(.tcp), HopLink(.tcp, isEncrypted: true), HopLink(.ipc), HopLink(.ipc, isEncrypted: true),
        HopLink(.inproc),
    ]

    public var name: String { isEncrypted ? "\(transport.rawValue)+curve" : transport.rawValue }
}

/// Both exchanges over one kind of link, each between two processes (two threads for inproc).
final class HopPair {
    private let caller: HopCaller
    private let peer: HopPeer?
    private let floor: FloorCaller
    private let children: [ChildProcess]
    private let hopProcess: Int32?
    private let floorProcess: Int32?

    private init(
        caller: HopCaller, peer: HopPeer?, floor: FloorCaller, hopChild: ChildProcess?, floorChild: ChildProcess?
    ) {
        self.caller = caller
        self.peer = peer
        self.floor = floor
        children = [hopChild, floorChild].compactMap { $0 }
        hopProcess = hopChild?.pid
        floorProcess = floorChild?.pid
    }

    /// Makes both, and returns when both other sides are there.
    ///
    /// - Parameter context: the process's one, since libsodium is one for all contexts.
    static func open(_ link: HopLink, folder: String, context: Context) async throws(BenchError) -> HopPair {
        let upper: KeyPair?
        let lower: KeyPair?
        let caller: HopCaller
        do throws(TransportError) {
            upper = try link.isEncrypted ? KeyPair.generate() : nil
            lower = try link.isEncrypted ? KeyPair.generate() : nil
            caller = try HopCaller(
                context, bind: endpoint(link, folder, "hop"),
                security: upper.map { .curveServer($0.secretKey) } ?? .plain, client: lower?.publicKey)
        } catch {
            throw .hop("\(error)")
        }
        return try await open(link, folder, context, caller, upper, lower)
    }

    private static func open(
        _ link: HopLink, _ folder: String, _ context: Context, _ caller: HopCaller, _ upper: KeyPair?, _ lower: KeyPair?
    ) async throws(BenchError) -> HopPair {
        // The keys are this run's own and worth nothing outside it, so they may stand in a command line.
        var hopKeys: [String] = []
        var floorKeys: [String] = []
        if let upper, let lower {
            hopKeys = [upper.publicKey.z85, lower.secretKey.z85]
            floorKeys = [upper.publicKey.z85, lower.publicKey.z85, lower.secretKey.z85]
        }
        let floor = try FloorCaller.bound(
            to: link.transport == .tcp ? "tcp://127.0.0.1:*" : endpoint(link, folder, "floor").description,
            secret: upper?.secretKey.z85)
        var peer: HopPeer?
        var hopChild: ChildProcess?
        var floorChild: ChildProcess?
        if link.transport == .inproc {
            do throws(TransportError) {
                peer = try HopPeer(context, dial: caller.endpoint, security: .plain)
            } catch {
                throw .hop("\(error)")
            }
            await peer?.start()
            try floor.startEcho()
        } else {
            hopChild = try ChildProcess(peer: ["hop", caller.endpoint.description] + hopKeys)
            floorChild = try ChildProcess(peer: ["floor", floor.endpoint] + floorKeys)
        }
        await caller.start()
        try floor.awaitEcho()
        return HopPair(caller: caller, peer: peer, floor: floor, hopChild: hopChild, floorChild: floorChild)
    }

    private static func endpoint(_ link: HopLink, _ folder: String, _ side: String) -> Endpoint {
        switch link.transport {
        case .tcp: .tcp(host: "127.0.0.1", port: 0)
        case .ipc: .ipc(path: "\(folder)/\(side)-\(link.isEncrypted ? "curve" : "plain")")
        case .inproc: .inproc(name: side)
        }
    }

    func runHop(_ round: ExchangeRound) async throws(BenchError) -> ExchangeResult {
        let before = try processor(with: hopProcess)
        var result = try await caller.run(round)
        result.processor = try processor(with: hopProcess) - before
        return result
    }

    func runFloor(_ round: ExchangeRound, down: Int, up: Int) throws(BenchError) -> ExchangeResult {
        let before = try processor(with: floorProcess)
        var result = try floor.run(round, down: down, up: up)
        result.processor = try processor(with: floorProcess) - before
        return result
    }

    private func processor(with other: Int32?) throws(BenchError) -> UInt64 {
        let own = try ProcessorTime.own()
        guard let other else { return own }
        return try own + ProcessorTime.nanoseconds(of: other)
    }

    func close() async {
        await peer?.stop()
        await caller.stop()
        for child in children { child.stop() }
    }
}
