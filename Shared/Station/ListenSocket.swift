public import Line
public import Transport
import Wire

/// A link on which a station listens: the router, and whose key each connection has shown. What is said on it is the
/// `Dispatcher`'s to decide, which is passed to each call that concerns it.
///
/// Belongs to the actor that made it.
public final class ListenSocket {
    /// What went wrong that the dispatcher does not see.
    public struct Counters: Sendable {
        /// Messages that are no frame, and connections that were refused.
        public var refused: UInt64 = 0
        /// Of these, the connections, by reason.
        public var refusals = ConnectionRefusals()
        /// Frames that could not be sent.
        public var unsent: UInt64 = 0
        /// Of these, those that met a full queue.
        public var highWater: UInt64 = 0
        /// How long frames held the thread.
        public var times = FrameTimes()
    }

    /// Where it is bound, with the actual port.
    public let endpoint: Endpoint
    private var counted = Counters()
    private let linkGuard: LinkGuard?
    private var keys = PeerKeys()
    private var guardGeneration: UInt64 = 0
    private var socket: RouterSocket
    private var registration: Registration?

    public init(
        _ context: Context, bind endpoint: Endpoint, options: SocketOptions = SocketOptions(),
        security: Security = .plain, guardedBy linkGuard: LinkGuard? = nil
    ) throws(TransportError) {
        var (options, security) = (options, security)
        // Whoever has no session is a stranger, and costs a bounded sum.
        options.limits.hasStrangers = true
        // Within the host a folder's rights are the keys.
        if let linkGuard, case .tcp = endpoint {
            options.securityDomain = linkGuard.domain
            options.gate = linkGuard.gate
            options.boundStrangersOfLibrary()
            security = linkGuard.security
            self.linkGuard = linkGuard
        } else {
            self.linkGuard = nil
        }
        socket = try RouterSocket(context, options: options, security: security)
        self.endpoint = try socket.bind(endpoint)
    }

    public var counters: Counters {
        var counters = counted
        counters.refused += socket.counters.refused
        counters.refusals = socket.counters.refusals
        return counters
    }

    /// Lets the reactor say when frames are there.
    func attach(to reactor: Reactor, onReadable: @escaping @Sendable () -> Void) {
        registration = reactor.register(socket, onReadable: onReadable)
    }

    /// Reads no more; the socket closes with the link.
    func detach() {
        registration?.cancel()
        registration = nil
    }

    /// Hands up to `limit` frames to `take`, but for hellos that do not fit their connection's key: those go to `refuse`.
    /// - Parameters:
    ///   - hasSession: Whether the owner knows the peer now.
    ///   - take: Gets the CURVE public key of the connection with a hello, where it has one.
    func drain(
        limit: Int = 256, hasSession: (_ peer: UInt64) -> Bool, refuse: (_ peer: UInt64, Status) -> Void,
        _ take: (Span<UInt8>, _ peer: UInt64, _ publicKey: String?, LinkTime) -> Void
    ) throws(TransportError) {
        var end = UInt64.max
        try socket.receive(upTo: limit) { frame -> Bool in
            let now = MonotonicClock.now()
            end = min(end, now &+ FrameTimes.budget)
            let peer = frame.peer.raw
            guard FrameHeader.kind(of: frame.bytes) == .hello else {
                take(frame.bytes, peer, nil, now)
                let done = MonotonicClock.now()
                counted.times.note(frame.bytes, done &- now)
                return done < end
            }
            let user = frame.userID
            if isMistaken(frame.bytes, peer, user) {
                refuse(peer, .unauthenticated)
            } else {
                take(frame.bytes, peer, user.flatMap { LinkGuard.publicKey(ofUser: $0) }, now)
            }
            if hasSession(peer) {
                // A peer whose hello was taken is no stranger any more.
                socket.admit(frame.peer, source: linkGuard == nil ? nil : frame.source)
            } else {
                keys.forget(peer)
            }
            return true
        }
    }

    /// Whether the role that a hello claims is not that of the key which its connection has shown.
    private func isMistaken(_ hello: Span<UInt8>, _ peer: UInt64, _ user: String?) -> Bool {
        guard let linkGuard else { return false }
        return !keys.note(user, of: peer, claiming: Hello.role(of: hello)) { linkGuard.role(ofUser: $0) }
    }

    /// Keeps connections in order, and ends the sessions of keys that are listed no more.
    func tick(_ dispatcher: inout Dispatcher, now: LinkTime) {
        if let linkGuard {
            if linkGuard.generation != guardGeneration {
                guardGeneration = linkGuard.generation
                keys.endWithdrawn(&dispatcher) { linkGuard.role(ofUser: $0) }
            }
            keys.prune(dispatcher)
        }
        socket.tend(now)
    }

    func send(_ frame: Span<UInt8>, to peer: UInt64) -> SendOutcome {
        let outcome = socket.send(frame, to: PeerID(raw: peer))
        if outcome != .sent { counted.unsent += 1 }
        if outcome == .wouldBlock { counted.highWater += 1 }
        return outcome
    }
}
