import DequeModule

/// Connection events of a stream socket that its owner has not taken yet, and what those that it took say.
struct StreamEvents {
    private var waiting: Deque<MonitorEvent> = []
    private var isHandshakeTold = false
    /// Whether a loss waits to be taken.
    private var isLossWaiting = false

    var isEmpty: Bool { waiting.isEmpty }

    /// Whether a dealer's owner knows of its handshake, and of no loss after it that it was not told.
    var isEstablished: Bool { isHandshakeTold && !isLossWaiting }

    mutating func append(_ event: MonitorEvent) {
        if event.kind.isLoss { isLossWaiting = true }
        waiting.append(event)
    }

    mutating func popFirst() -> MonitorEvent? {
        guard let event = waiting.popFirst() else { return nil }
        if event.kind == .handshakeSucceeded { isHandshakeTold = true }
        if event.kind.isLoss { isHandshakeTold = false }
        if isEmpty { isLossWaiting = false }
        return event
    }

    /// The owner ended the connection itself.
    mutating func forgetHandshake() { isHandshakeTold = false }
}

extension MonitorEvent.Kind {
    fileprivate var isLoss: Bool {
        switch self {
        case .disconnected, .handshakeFailed: true
        case .connected, .accepted, .handshakeSucceeded, .acceptFailed: false
        }
    }
}
