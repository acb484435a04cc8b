import CZeroMQ
import Synchronization

/// Says which CURVE clients a context's servers admit, and under which names (https://rfc.zeromq.org/spec/27/).
///
/// Handshakes wait for it, so it runs on a thread of its own. Make it before the first server binds; one per context.
public final class ZAPAuthenticator: Sendable {
    private let reactor: Reactor
    private let server: ZAPServer
    private let clients: ClientList

    /// - Parameters:
    ///   - domain: The servers' `SocketOptions.securityDomain`; requests of others are refused.
    ///   - allowed: The user id that each client gets, found in `Message.userID`.
    public convenience init(
        _ context: Context, domain: String = SocketOptions().securityDomain, allowed: [PublicKey: String] = [:]
    ) throws(TransportError) {
        try self.init(context, domain: domain, clients: ClientList(allowed), guards: [])
    }

    /// Lets the guards of a context's links decide.
    public convenience init(_ context: Context, guards: [LinkGuard]) throws(TransportError) {
        try self.init(context, domain: "", clients: ClientList([:]), guards: guards)
    }

    private init(
        _ context: Context, domain: String, clients: ClientList, guards: [LinkGuard]
    ) throws(TransportError) {
        let reactor = try Reactor(name: "zap")
        do throws(TransportError) {
            server = try ZAPServer(context, reactor: reactor, domain: domain, clients: clients, guards: guards)
        } catch {
            reactor.stop()
            throw error
        }
        self.reactor = reactor
        self.clients = clients
        reactor.post { [server] in server.assumeIsolated { $0.start() } }
    }

    deinit { reactor.stop() }

    /// Admits a client from now on.
    public func allow(_ key: PublicKey, as user: String) { clients.update { $0[key] = user } }

    /// Refuses a client from now on; a connection that it has stays.
    public func revoke(_ key: PublicKey) { clients.update { $0[key] = nil } }

    /// Replaces the whole list.
    public func replace(allowed: [PublicKey: String]) { clients.update { $0 = allowed } }

    /// Handshakes let through.
    public var accepted: UInt64 { clients.accepted.load(ordering: .relaxed) }

    /// Handshakes turned away.
    public var refused: UInt64 { clients.refused.load(ordering: .relaxed) }
}

/// The allow-list, shared by the threads that change it and the one that asks.
final class ClientList: Sendable {
    let accepted = Atomic<UInt64>(0)
    let refused = Atomic<UInt64>(0)
    private let users: Mutex<[PublicKey: String]>

    init(_ users: [PublicKey: String]) { self.users = Mutex(users) }

    func update(_ change: (inout [PublicKey: String]) -> Void) { users.withLock { change(&$0) } }

    func user(_ key: PublicKey) -> String? { users.withLock { $0[key] } }
}

/// What a ZAP request says, or nil if it is none.
struct ZAPRequest: Equatable {
    let requestID: [UInt8]
    let domain: String
    /// The client's, in numbers.
    let address: String
    let mechanism: String
    let credentials: [UInt8]

    /// Frames: version, request id, domain, address, identity, mechanism, credentials.
    init?(_ frames: [[UInt8]]) {
        guard frames.count >= 6, frames[0] == Array("1.0".utf8) else { return nil }
        requestID = frames[1]
        domain = String(decoding: frames[2], as: UTF8.self)
        address = String(decoding: frames[3], as: UTF8.self)
        mechanism = String(decoding: frames[5], as: UTF8.self)
        credentials = frames.count == 7 ? frames[6] : []
    }
}

/// The end of ZAP that answers.
private struct ReplySocket: ~Copyable {
    let socket: LibrarySocket

    init(_ context: Context, at endpoint: Endpoint) throws(TransportError) {
        let socket = try LibrarySocket(context, type: ZMQ_REP, options: SocketOptions())
        _ = try socket.bind(endpoint)
        self.socket = socket
    }

    deinit { socket.release() }
}

private actor ZAPServer {
    private nonisolated let reactor: Reactor
    private let socket: ReplySocket
    private let domain: String
    private let clients: ClientList
    private let guards: [LinkGuard]

    nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.executor }

    init(
        _ context: Context, reactor: Reactor, domain: String, clients: ClientList, guards: [LinkGuard]
    ) throws(TransportError) {
        self.reactor = reactor
        self.domain = domain
        self.clients = clients
        self.guards = guards
        socket = try ReplySocket(context, at: .inproc(name: "zeromq.zap.01"))
    }

    func start() {
        _ = reactor.watch(
            socket.socket,
            onReadable: { [weak self] in self?.assumeIsolated { $0.answer() } },
            onMonitor: nil)
    }

    private func answer() {
        for _ in 0..<Reactor.receivesPerTurn {
            var part = LibraryMessage()
            // An error means that the context is ending, and with it all handshakes.
            guard (try? socket.socket.receive(into: &part)) == true else { return }
            var frames = [part.copy()]
            while part.hasMore, (try? socket.socket.receive(into: &part)) == true {
                if frames.count < 8 { frames.append(part.copy()) }
            }
            reply(to: ZAPRequest(frames), id: frames.count > 1 ? frames[1] : [])
        }
    }

    private func reply(to request: ZAPRequest?, id: [UInt8]) {
        let user = request.flatMap { request -> String? in
            guard request.mechanism == "CURVE", let key = PublicKey(bytes: request.credentials) else { return nil }
            if let link = guards.first(where: { $0.domain == request.domain }) {
                return link.gate.admits(PeerAddress(request.address)) ? link.user(of: key) : nil
            }
            return request.domain == domain ? clients.user(key) : nil
        }
        if user == nil {
            clients.refused.wrappingAdd(1, ordering: .relaxed)
        } else {
            clients.accepted.wrappingAdd(1, ordering: .relaxed)
        }
        _ = socket.socket.send(part: Array("1.0".utf8), more: true)
        _ = socket.socket.send(part: id, more: true)
        _ = socket.socket.send(part: Array((user == nil ? "400" : "200").utf8), more: true)
        _ = socket.socket.send(part: Array((user == nil ? "not allowed" : "").utf8), more: true)
        _ = socket.socket.send(part: Array((user ?? "").utf8), more: true)
        _ = socket.socket.send(part: [], more: false)
    }
}
