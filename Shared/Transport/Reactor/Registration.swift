/// A socket's place in a reactor, and whom to call when it has something. Belongs to the reactor's thread.
public final class Registration {
    let socket: (any LinkSocket)?
    let reactor: Reactor
    let loop: ReactorLoop
    let onReadable: @Sendable () -> Void
    let onMonitor: (@Sendable (MonitorEvent) -> Void)?
    /// Whether the reactor's loop watches the socket, and flushes it at the end of each turn.
    var isActive = false
    /// Whether it stands among those that may have something for their owner.
    var isHolding = false
    /// Whether it stands among those that have something to send.
    var isUnsent = false

    init(
        _ socket: (any LinkSocket)?, _ reactor: Reactor, _ loop: ReactorLoop,
        onReadable: @escaping @Sendable () -> Void, onMonitor: (@Sendable (MonitorEvent) -> Void)?
    ) {
        self.socket = socket
        self.reactor = reactor
        self.loop = loop
        self.onReadable = onReadable
        self.onMonitor = onMonitor
    }

    /// Ends the callbacks, on the reactor's thread; the socket stays open.
    public func cancel() {
        reactor.checkIsolated()
        leave()
    }

    /// The same where the thread is known to be the right one.
    func leave() {
        loop.remove(self)
        // The socket and this hold each other until here.
        if socket?.registration === self { socket?.registration = nil }
    }
}
