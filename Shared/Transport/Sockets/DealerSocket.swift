import CZeroMQ

/// The lower end of a link: connects to one router. (With several peers a dealer would deal frames round them.)
///
/// Belongs to one thread at a time. Nothing is queued for a router that is not there: sending is `unreachable` until
/// the handshake, which `MonitorEvent.Kind.handshakeSucceeded` announces. libzmq connects again by itself.
public struct DealerSocket: ~Copyable {
    let handle: SocketHandle
    public private(set) var counters = SocketCounters()

    /// Whether there is an endpoint, between `connect` and `disconnect`.
    private var isDialling = false

    private static let refusalsPerReceive = 64

    public init(
        _ context: Context, routingID: PeerID, options: SocketOptions = SocketOptions(), security: Security = .plain
    ) throws(TransportError) {
        // libzmq would take it, and the router refuse the connection without a word.
        guard routingID.role != 0 else {
            throw .system(operation: "set routing id \(routingID) of", subject: "socket", code: EINVAL)
        }
        let handle = try SocketHandle(context, type: ZMQ_DEALER, options: options)
        try handle.set(ZMQ_ROUTING_ID, routingID)
        try handle.set(ZMQ_IMMEDIATE, 1)
        try handle.apply(security, domain: options.securityDomain)
        try handle.startMonitor()
        self.handle = handle
    }

    deinit { handle.release() }

    /// Begins to connect; whether it works, events say.
    public mutating func connect(_ endpoint: Endpoint) throws(TransportError) {
        try handle.connect(endpoint)
        isDialling = true
    }

    /// Ends the connection to `endpoint`, as it was given to `connect`, and the attempts at it.
    public mutating func disconnect(_ endpoint: Endpoint) throws(TransportError) {
        try handle.disconnect(endpoint)
        isDialling = false
    }

    /// Whether the handshake is done, as far as events have been taken (always, on `inproc`).
    public var isEstablished: Bool { handle.isEstablished }

    /// Closes the socket: later sends fail, and nothing is received. Dropping it does the same.
    public mutating func close() { handle.release() }

    /// Takes the next frame without waiting; nil if there is none.
    ///
    /// After many bad messages in a row it also says nil; the socket is then still readable for the reactor's next turn.
    public mutating func receive() throws(TransportError) -> Message? {
        for _ in 0..<Self.refusalsPerReceive {
            var body = Message()
            guard try handle.receive(into: &body) else { return nil }
            if body.hasMore {
                while body.hasMore, try handle.receive(into: &body) {}
                counters.malformed += 1
                continue
            }
            counters.received += 1
            return body
        }
        return nil
    }

    /// Sends one frame without waiting; it is copied.
    ///
    /// `unreachable` until the event of the handshake has been taken (by ``nextEvent()`` or a reactor) and after that of
    /// the loss. `wouldBlock` if the queue is full, or the connection lost and its event not yet taken.
    public mutating func send(_ bytes: Span<UInt8>) -> SendOutcome {
        // libzmq takes a dead connection down later, and loses in silence what it got meanwhile.
        let outcome = isDialling && handle.isEstablished ? handle.send(bytes, to: nil) : .unreachable
        counters.count(outcome)
        return outcome
    }

    /// The next connection event, if no reactor takes them.
    public mutating func nextEvent() throws(TransportError) -> MonitorEvent? { try handle.nextEvent() }

    /// Blocks until a frame or an event is there, for code that has no reactor; false when the time is over.
    public mutating func wait(milliseconds: Int) throws(TransportError) -> Bool {
        try handle.wait(milliseconds: milliseconds)
    }
}
