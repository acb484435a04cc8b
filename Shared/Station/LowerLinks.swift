public import Line
public import Transport
public import Wire

/// A station below on all its links, for those that are not run by a `StationShell`: the connections of one line upward
/// and the dialling side that decides what is said on them.
///
/// Belongs to the actor that made it.
public final class LowerLinks {
    public var side: DialSide
    let sockets: DialSockets
    private var control = FrameBuffer(capacity: 256)

    public init(
        _ context: Context, reactor: Reactor, targets: [Endpoint], options: SocketOptions = SocketOptions(),
        security: Security = .plain, credentials: LinkCredentials? = nil, side: DialSide
    ) {
        self.side = side
        sockets = DialSockets(
            context, reactor: reactor, targets: targets, options: options, security: security,
            credentials: credentials)
    }

    /// Dials the targets that need no resolution and says whom to call when a link has something.
    ///
    /// On the reactor's thread; both callbacks run there.
    public func attach(
        onReadable: @escaping @Sendable (UInt32) -> Void,
        onMonitor: @escaping @Sendable (UInt32, MonitorEvent) -> Void
    ) {
        sockets.attach(&side, onReadable: onReadable, onMonitor: onMonitor)
    }

    /// The addresses that a name has now: dials the new ones, lets go of those that vanished and have no session.
    func resolved(_ name: String, to addresses: [String]) { sockets.resolved(name, to: addresses, &side) }

    /// A connection event of a link.
    public func handle(_ event: MonitorEvent, on link: UInt32, now: LinkTime) {
        sockets.handle(event, on: link, &side, now: now)
    }

    /// Takes up to `limit` frames of a link, and fewer where they take longer than ``FrameTimes/budget``; see
    /// `UpperLink.drain`.
    public func drain(
        _ link: UInt32, limit: Int = Reactor.receivesPerTurn,
        _ onWork: (FrameHeader, Span<UInt8>, UInt32, LinkTime) throws(WireError) -> Void
    ) throws(TransportError) {
        try sockets.drain(link, limit: limit) { frame, now in
            guard case .work(let header, _) = side.take(frame, on: link, now: now) else { return }
            do throws(WireError) { try onWork(header, frame, link, now) } catch { side.malformed(on: link) }
        }
    }

    /// Sends what the dialling side wants to say, keeps its connections, and hands everything else to `body`, until
    /// there is nothing.
    public func perform(_ body: (DialSide.Action) -> Void) {
        while let action = side.next() {
            switch action {
            case .control(let link, let session, let frame):
                let stamp = side.nextStamp(on: link, session: session)
                frame.encode(
                    into: &control, session: session, sequence: stamp.sequence, sentAt: MonotonicClock.now(),
                    version: stamp.version)
                let outcome = sockets.send(control.bytes.span, on: link)
                if case .reset = frame { continue }
                if outcome != .sent { side.sendFailed(on: link) }
            case .reconnect(let link): sockets.reconnect(link, &side)
            default: body(action)
            }
        }
    }

    /// Numbers and stamps an encoded frame and sends it; when that fails, the link's session ends.
    @discardableResult
    public func send(_ frame: inout FrameBuffer, on link: UInt32, session: UInt32) -> SendOutcome {
        let stamp = side.nextStamp(on: link, session: session)
        guard stamp.sequence > 0 else { return .unreachable }
        frame.stamp(sequence: stamp.sequence, sentAt: MonotonicClock.now())
        frame.stamp(version: stamp.version)
        let outcome = sockets.send(frame.bytes.span, on: link)
        if outcome != .sent { side.sendFailed(on: link) }
        return outcome
    }

    /// Lets time pass, and dials again what could not be dialled.
    public func tick(_ now: LinkTime) {
        sockets.tick(&side, now: now)
        side.tick(now)
    }

    /// Closes all sockets.
    public func close() { sockets.close() }
}
