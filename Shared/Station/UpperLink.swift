public import Line
public import Transport
public import Wire

/// A station above on one link, for those that are not run by a `StationShell`: a router and the dispatcher that decides
/// what it says.
///
/// Belongs to the actor that made it. The order of a turn: `drain` while the socket is readable, then the owner's own
/// work on `dispatcher`, then `perform` until nothing is left to do.
public final class UpperLink {
    public var dispatcher: Dispatcher
    /// Asked before a hello goes to the dispatcher: nil admits the peer, a status refuses it. The key is the CURVE public
    /// key of the connection, in Z85; nil on a link without.
    public var admits: (_ hello: Hello, _ publicKey: String?) -> Status? = { _, _ in nil }
    private let socket: ListenSocket
    private var control = FrameBuffer(capacity: 256)

    public init(
        _ context: Context, bind endpoint: Endpoint, options: SocketOptions = SocketOptions(),
        security: Security = .plain, guardedBy linkGuard: LinkGuard? = nil, dispatcher: Dispatcher
    ) throws(TransportError) {
        socket = try ListenSocket(
            context, bind: endpoint, options: options, security: security, guardedBy: linkGuard)
        self.dispatcher = dispatcher
    }

    /// Where it is bound, with the actual port.
    public var endpoint: Endpoint { socket.endpoint }

    /// What the socket has counted.
    public var counters: ListenSocket.Counters { socket.counters }

    /// Lets the reactor say when frames are there.
    public func attach(to reactor: Reactor, onReadable: @escaping @Sendable () -> Void) {
        socket.attach(to: reactor, onReadable: onReadable)
    }

    /// Reads no more; the socket closes with the link.
    public func detach() { socket.detach() }

    /// Takes up to `limit` frames, and fewer where they take longer than ``FrameTimes/budget``. Those of the line protocol
    /// go to the dispatcher, those that carry work to `onWork`, after their session and sequence were checked. `onWork`
    /// says whether the frame was well formed; a peer whose frames are not loses its session.
    public func drain(
        limit: Int = 256, _ onWork: (FrameHeader, Span<UInt8>, SessionRef, LinkTime) throws(WireError) -> Void
    ) throws(TransportError) {
        try socket.drain(
            limit: limit, hasSession: { dispatcher.info(of: $0) != nil },
            refuse: { peer, status in dispatcher.refuse(peer, status) }
        ) { frame, peer, publicKey, now in
            let intake = dispatcher.take(frame, from: peer, now: now) { admits($0, publicKey) }
            guard case .work(let header, let session) = intake else { return }
            do throws(WireError) { try onWork(header, frame, session, now) } catch {
                dispatcher.malformed(by: peer)
            }
        }
    }

    /// Lets time pass, and ends the sessions of keys that are listed no more.
    public func tick(_ now: LinkTime) {
        socket.tick(&dispatcher, now: now)
        dispatcher.tick(now)
    }

    /// Sends what the dispatcher wants to say and hands everything else to `body`, until there is nothing.
    public func perform(_ body: (Dispatcher.Action) -> Void) {
        while let action = dispatcher.next() {
            guard case .control(let peer, let session, let frame) = action else {
                body(action)
                continue
            }
            let stamp = dispatcher.nextStamp(to: peer, session: session)
            let now = MonotonicClock.now()
            frame.encode(
                into: &control, session: session, sequence: stamp.sequence, sentAt: now, version: stamp.version)
            switch (socket.send(control.bytes.span, to: peer), frame) {
            case (.sent, .heartbeat): dispatcher.heartbeatSent(to: peer, sequence: stamp.sequence, sentAt: now)
            // A reset for someone who is gone, or was never there, needs no second one.
            case (.sent, _), (_, .reset): break
            default: dispatcher.sendFailed(to: peer)
            }
        }
    }

    /// Numbers and stamps an encoded frame and sends it; when that fails, the peer's session ends.
    @discardableResult
    public func send(_ frame: inout FrameBuffer, to session: SessionRef) -> SendOutcome {
        let stamp = dispatcher.nextStamp(to: session.peer, session: session.session)
        guard stamp.sequence > 0 else { return .unreachable }
        frame.stamp(sequence: stamp.sequence, sentAt: MonotonicClock.now())
        frame.stamp(version: stamp.version)
        let outcome = socket.send(frame.bytes.span, to: session.peer)
        if outcome != .sent { dispatcher.sendFailed(to: session.peer) }
        return outcome
    }
}
