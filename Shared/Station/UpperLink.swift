public import Line
public import Transport
public import Wire

/// The station above on one link: a router and the dispatcher that decides what it says.
///
/// Belongs to the actor that made it. The order of a turn: `drain` while the socket is readable, then the owner's own
/// work on `dispatcher`, then `perform` until nothing is left to do.
public final class UpperLink {
    /// What went wrong on the link that the dispatcher does not see.
    public struct Counters: Sendable {
        /// Frames that did not decode, messages that are no frame, and connections that were refused.
        public var badFrames: UInt64 = 0
        /// Of these, the connections, by reason.
        public var refusals = ConnectionRefusals()
        /// Frames that could not be sent.
        public var unsent: UInt64 = 0
        /// Of these, those that met a full queue.
        public var highWater: UInt64 = 0
        /// How long frames held the thread.
        public var times = FrameTimes()
    }

    public var dispatcher: Dispatcher
    /// Asked before a hello goes to the dispatcher: nil admits the peer, a status refuses it. The key is the CURVE public
    /// key of the connection, in Z85; nil on a link without.
    public var admits: (_ hello: Hello, _ publicKey: String?) -> Status? = { _, _ in nil }
    /// Where it is bound, with the actual port.
    public let endpoint: Endpoint
    private var counted = Counters()

    private let linkGuard: LinkGuard?
    /// Whom the authenticator admitted under each routing id, as far as they said hello.
    private var users: [UInt64: String] = [:]
    private var guardGeneration: UInt64 = 0
    private var socket: RouterSocket
    private var registration: Registration?
    private var control = FrameBuffer(capacity: 256)

    public init(
        _ context: Context, bind endpoint: Endpoint, options: SocketOptions = SocketOptions(),
        security: Security = .plain, guardedBy linkGuard: LinkGuard? = nil, dispatcher: Dispatcher
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
        self.dispatcher = dispatcher
    }

    public var counters: Counters {
        var counters = counted
        counters.badFrames += socket.counters.refused
        counters.refusals = socket.counters.refusals
        return counters
    }

    /// Lets the reactor say when frames are there.
    public func attach(to reactor: Reactor, onReadable: @escaping @Sendable () -> Void) {
        registration = reactor.register(socket, onReadable: onReadable)
    }

    /// Stops listening; the socket closes with the link.
    public func detach() {
        registration?.cancel()
        registration = nil
    }

    /// Takes up to `limit` frames, and fewer where they take longer than ``FrameTimes/budget``. Those of the line protocol
    /// go to the dispatcher, those that carry work to `onWork`, after their session and sequence were checked. `onWork` says whether the frame was well formed; a peer whose
    /// frames are not loses its session.
    public func drain(
        limit: Int = 256, _ onWork: (FrameHeader, Span<UInt8>, SessionRef, LinkTime) throws(WireError) -> Void
    ) throws(TransportError) {
        var end = UInt64.max
        try socket.receive(upTo: limit) { frame in
            let now = MonotonicClock.now()
            end = min(end, now &+ FrameTimes.budget)
            return take(frame, now, onWork) < end
        }
    }

    /// Says when the frame was done with.
    private func take(
        _ received: ReceivedFrame, _ now: LinkTime,
        _ onWork: (FrameHeader, Span<UInt8>, SessionRef, LinkTime) throws(WireError) -> Void
    ) -> LinkTime {
        let peer = received.peer.raw
        do throws(WireError) {
            let header = try FrameHeader.decode(received.bytes)
            // A cancel from below is a client's, and its owner's to handle.
            if header.kind != .cancel, let frame = try ControlFrame.decode(received.bytes, header: header) {
                if case .hello(let hello) = frame, let refusal = refusal(of: hello, peer, received.userID) {
                    dispatcher.refuse(peer, refusal)
                    forget(peer)
                    return now
                }
                dispatcher.received(frame, from: peer, header: header, now: now)
                if case .hello = frame { welcome(received) }
            } else if let session = dispatcher.accepts(header, from: peer, now: now) {
                try onWork(header, received.bytes, session, now)
            }
            let done = MonotonicClock.now()
            counted.times.note(header.kind, done &- now)
            return done
        } catch {
            counted.badFrames += 1
            dispatcher.violated(by: peer)
            return now
        }
    }

    private func refusal(of hello: Hello, _ peer: UInt64, _ user: String?) -> Status? {
        identify(hello, peer, user) ?? admits(hello, user.flatMap { LinkGuard.publicKey(ofUser: $0) })
    }

    /// Holds a hello against the key that its connection brought: the role that it claims must be the key's, and the key
    /// still listed (the authenticator is asked at the handshake only).
    private func identify(_ hello: Hello, _ peer: UInt64, _ user: String?) -> Status? {
        guard let linkGuard else { return nil }
        guard let user, linkGuard.role(ofUser: user) == hello.role.folderName else {
            users[peer] = nil
            return .unauthenticated
        }
        users[peer] = user
        return nil
    }

    /// A peer whose hello was taken is no stranger any more.
    private func welcome(_ hello: ReceivedFrame) {
        if dispatcher.info(of: hello.peer.raw) == nil {
            forget(hello.peer.raw)
        } else {
            socket.admit(hello.peer, source: linkGuard == nil ? nil : hello.source)
        }
    }

    /// Keeps nothing of a peer that has no session.
    private func forget(_ peer: UInt64) {
        if users[peer] != nil, dispatcher.info(of: peer) == nil { users[peer] = nil }
    }

    /// Lets time pass, and ends the sessions of keys that are listed no more.
    public func tick(_ now: LinkTime) {
        endWithdrawn()
        socket.tend(now)
        dispatcher.tick(now)
    }

    private func endWithdrawn() {
        guard let linkGuard, linkGuard.generation != guardGeneration else { return }
        guardGeneration = linkGuard.generation
        var known: [UInt64: String] = [:]
        for peer in dispatcher.allPeers {
            let id = peer.session.peer
            if let user = users[id], linkGuard.role(ofUser: user) == peer.role.folderName {
                known[id] = user
            } else {
                dispatcher.dismiss(id, .unauthenticated)
            }
        }
        users = known
    }

    /// Sends what the dispatcher wants to say and hands everything else to `body`, until there is nothing.
    public func perform(_ body: (Dispatcher.Action) -> Void) {
        while let action = dispatcher.next() {
            guard case .control(let peer, let session, let frame) = action else {
                if case .peerDown(let info, _) = action { forget(info.session.peer) }
                body(action)
                continue
            }
            let stamp = dispatcher.nextStamp(to: peer, session: session)
            let now = MonotonicClock.now()
            frame.encode(
                into: &control, session: session, sequence: stamp.sequence, sentAt: now, version: stamp.version)
            let outcome = socket.send(control.bytes.span, to: PeerID(raw: peer))
            guard outcome != .sent else {
                if case .heartbeat = frame {
                    dispatcher.heartbeatSent(to: peer, sequence: stamp.sequence, sentAt: now)
                }
                continue
            }
            count(outcome)
            // A reset for someone who is gone, or was never there, needs no second one.
            if case .reset = frame { continue }
            dispatcher.sendFailed(to: peer)
        }
    }

    /// Numbers and stamps an encoded frame and sends it; when that fails, the peer's session ends.
    @discardableResult
    public func send(_ frame: inout FrameBuffer, to session: SessionRef) -> SendOutcome {
        let stamp = dispatcher.nextStamp(to: session.peer, session: session.session)
        guard stamp.sequence > 0 else { return .unreachable }
        frame.stamp(sequence: stamp.sequence, sentAt: MonotonicClock.now())
        frame.stamp(version: stamp.version)
        let outcome = socket.send(frame.bytes.span, to: PeerID(raw: session.peer))
        if outcome != .sent {
            count(outcome)
            dispatcher.sendFailed(to: session.peer)
        }
        return outcome
    }

    private func count(_ outcome: SendOutcome) {
        counted.unsent += 1
        if outcome == .wouldBlock { counted.highWater += 1 }
    }
}
