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

/// What takes part in a round.
enum HopSide: Hashable {
    case hop
    case floor
    case grpc(GRPCPeer.Kind)
}

/// The exchanges over one kind of link, each between two processes (two threads for inproc).
final class HopPair {
    private let caller: HopCaller
    private let peer: HopPeer?
    private let floor: FloorCaller
    private let hopChild: ChildProcess?
    private let floorChild: ChildProcess?
    private let grpc: GRPCPeer?

    private init(
        caller: HopCaller, peer: HopPeer?, floor: FloorCaller, hopChild: ChildProcess?, floorChild: ChildProcess?,
        grpc: GRPCPeer?
    ) {
        self.caller = caller
        self.peer = peer
        self.floor = floor
        self.hopChild = hopChild
        self.floorChild = floorChild
        self.grpc = grpc
    }

    /// Makes all, and returns when the other sides are there.
    ///
    /// - Parameters:
    ///   - folder: for the sockets of ipc.
    ///   - context: the process's one, since libsodium is one for all contexts.
    ///   - grpc: the program, if gRPC is to be there; it is for plain links between processes.
    static func open(
        _ link: HopLink, folder: String, context: Context, grpc: String? = nil, cores: CoreSplit? = nil
    ) async throws(BenchError) -> HopPair {
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
        if let cores {
            for child in [hopChild, floorChild].compactMap({ $0 }) { try CoreSplit.pin(child.pid, to: cores.peers) }
        }
        await caller.start()
        try floor.awaitEcho()
        var grpcPeer: GRPCPeer?
        if let grpc, !link.isEncrypted, link.transport != .inproc {
            grpcPeer = try GRPCPeer(
                program: grpc, socket: link.transport == .ipc ? "\(folder)/grpc" : nil, cores: cores)
        }
        return HopPair(
            caller: caller, peer: peer, floor: floor, hopChild: hopChild, floorChild: floorChild, grpc: grpcPeer)
    }

    /// Who takes part, in the order of a round.
    var sides: [HopSide] { [.floor, .hop] + (grpc == nil ? [] : GRPCPeer.Kind.allCases.map { .grpc($0) }) }

    /// - Parameters:
    ///   - down: bytes of the bare ping-pong's request.
    ///   - up: bytes of its answer.
    func run(
        _ side: HopSide, _ round: ExchangeRound, down: Int, up: Int
    ) async throws(BenchError) -> ExchangeResult {
        switch side {
        case .hop: try await runHop(round)
        case .floor: try runFloor(round, down: down, up: up)
        case .grpc(let kind):
            if let grpc { try grpc.run(kind, round) } else { throw .usage("this link has no gRPC") }
        }
    }

    private static func endpoint(_ link: HopLink, _ folder: String, _ side: String) -> Endpoint {
        switch link.transport {
        case .tcp: .tcp(host: "127.0.0.1", port: 0)
        case .ipc: .ipc(path: "\(folder)/\(side)-\(link.isEncrypted ? "curve" : "plain")")
        case .inproc: .inproc(name: side)
        }
    }

    func runHop(_ round: ExchangeRound) async throws(BenchError) -> ExchangeResult {
        let before = try processor(with: hopChild)
        var result = try await caller.run(round)
        result.processor = try processor(with: hopChild) - before
        result.exchanges = round.warmup + round.count
        return result
    }

    func runFloor(_ round: ExchangeRound, down: Int, up: Int) throws(BenchError) -> ExchangeResult {
        let before = try processor(with: floorChild)
        var result = try floor.run(round, down: down, up: up)
        result.processor = try processor(with: floorChild) - before
        result.exchanges = round.warmup + round.count
        return result
    }

    private func processor(with other: ChildProcess?) throws(BenchError) -> UInt64 {
        let own = try ProcessorTime.own()
        guard let other else { return own }
        return try own + ProcessorTime.nanoseconds(of: other.pid)
    }

    func close() async {
        await peer?.stop()
        await caller.stop()
        hopChild?.stop()
        floorChild?.stop()
        grpc?.stop()
    }
}
