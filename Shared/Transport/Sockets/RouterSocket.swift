import CZeroMQ

/// The upper end of a link: binds, and talks to many dealers by their routing ids.
///
/// Belongs to one thread at a time. What it drops (messages of several parts, peers whose id has not eight bytes) is
/// counted. A peer that comes back under an id takes it over, and frames not yet read from the old connection are lost.
public struct RouterSocket: ~Copyable {
    let handle: SocketHandle
    /// Reused for routing frames: they fit inside, so receiving one allocates nothing.
    private var routing = Message()
    public private(set) var counters = SocketCounters()

    /// How many bad messages one `receive` drops before it says that there is nothing.
    private static let refusalsPerReceive = 64

    public init(
        _ context: Context, options: SocketOptions = SocketOptions(), security: Security = .plain
    ) throws(TransportError) {
        let handle = try SocketHandle(context, type: ZMQ_ROUTER, options: options)
        try handle.set(ZMQ_ROUTER_MANDATORY, 1)
        try handle.set(ZMQ_ROUTER_HANDOVER, 1)
        try handle.apply(security, domain: options.securityDomain)
        if options.monitored { try handle.startMonitor() }
        self.handle = handle
    }

    deinit { handle.release() }

    /// Binds, and says where: the actual port if it was 0.
    @discardableResult
    public mutating func bind(_ endpoint: Endpoint) throws(TransportError) -> Endpoint {
        try handle.bind(endpoint)
    }

    /// Closes the socket: later sends fail, and nothing is received. Dropping it does the same.
    public mutating func close() { handle.release() }

    /// Takes the next frame without waiting; nil if there is none.
    ///
    /// After many bad messages in a row it also says nil; the socket is then still readable for the reactor's next turn.
    public mutating func receive() throws(TransportError) -> RoutedMessage? {
        for _ in 0..<Self.refusalsPerReceive {
            guard try handle.receive(into: &routing) else { return nil }
            let peer = PeerID(routingFrame: routing.bytes)
            var body = Message()
            // The parts of one message arrive together.
            guard routing.hasMore, try handle.receive(into: &body) else {
                counters.malformed += 1
                continue
            }
            if body.hasMore {
                while body.hasMore, try handle.receive(into: &body) {}
                counters.malformed += 1
                continue
            }
            guard let peer else {
                counters.foreignPeers += 1
                continue
            }
            counters.received += 1
            return RoutedMessage(peer: peer, message: body)
        }
        return nil
    }

    /// Sends one frame without waiting; it is copied.
    public mutating func send(_ bytes: Span<UInt8>, to peer: PeerID) -> SendOutcome {
        let outcome = handle.send(bytes, to: peer)
        counters.count(outcome)
        return outcome
    }

    /// The next connection event, if the options ask for them and no reactor takes them.
    public mutating func nextEvent() throws(TransportError) -> MonitorEvent? { try handle.nextEvent() }

    /// Blocks until a frame or an event is there, for code that has no reactor; false when the time is over.
    public mutating func wait(milliseconds: Int) throws(TransportError) -> Bool {
        try handle.wait(milliseconds: milliseconds)
    }
}
