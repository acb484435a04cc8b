import CZeroMQ

/// The lower end of a link: connects to one router. (With several peers a dealer would deal frames round them.)
///
/// Belongs to one thread at a time. Nothing is queued for a router that is not there: sending is `unreachable` until
/// the handshake, which `MonitorEvent.Kind.handshakeSucceeded` announces. It connects again by itself.
public struct DealerSocket: ~Copyable {
    private let context: Context
    private let routingID: PeerID
    private let options: SocketOptions
    private let security: Security
    /// The first address decides who speaks for it; nil before it is connected.
    private(set) var link: (any LinkSocket)?
    private let tally = SocketTally()

    public init(
        _ context: Context, routingID: PeerID, options: SocketOptions = SocketOptions(), security: Security = .plain
    ) throws(TransportError) {
        // It could be sent, and the router would refuse the connection without a word.
        guard routingID.role != 0 else {
            throw .system(operation: "set routing id \(routingID) of", subject: "socket", code: EINVAL)
        }
        self.context = context
        self.routingID = routingID
        self.options = options
        self.security = security
    }

    deinit { link?.release() }

    /// What it has seen and refused since it was made.
    public var counters: SocketCounters {
        var counters = tally.counters
        counters.refusals = link?.refusals ?? ConnectionRefusals()
        return counters
    }

    /// Begins to connect; whether it works, events say. Again only after ``disconnect(_:)``.
    public mutating func connect(_ endpoint: Endpoint) throws(TransportError) {
        if let link { return try link.connect(endpoint) }
        let link: any LinkSocket
        if options.isDirect(endpoint, security) {
            link = StreamSocket(.dealer(routingID), options: options, tally: tally)
        } else {
            let library = try LibrarySocket(context, type: ZMQ_DEALER, options: options, tally: tally)
            try library.set(ZMQ_ROUTING_ID, routingID)
            try library.set(ZMQ_IMMEDIATE, 1)
            try library.apply(security, domain: options.securityDomain)
            try library.startMonitor()
            link = library
        }
        try link.connect(endpoint)
        self.link = link
    }

    /// Ends the connection to `endpoint`, as it was given to `connect`, and the attempts at it.
    public func disconnect(_ endpoint: Endpoint) throws(TransportError) {
        guard let link else { throw .system(operation: "disconnect", subject: endpoint.description, code: ENOENT) }
        try link.disconnect(endpoint)
    }

    /// Whether the handshake is done, as far as events have been taken (always, on `inproc`).
    public var isEstablished: Bool { link?.isEstablished ?? false }

    /// Closes the socket: later sends fail, and nothing is received. Dropping it does the same.
    public func close() { link?.release() }

    /// Takes up to `limit` frames without waiting and lends each to `body`; see the router's form.
    public func receive(upTo limit: Int, _ body: (ReceivedFrame) -> Bool) throws(TransportError) {
        try link?.receive(upTo: limit, body)
    }

    /// Takes and copies the next frame without waiting; see the router's form.
    public func receive() throws(TransportError) -> Message? {
        var message: Message?
        try receive(upTo: 1) {
            message = Message($0)
            return true
        }
        return message
    }

    /// Sends one frame without waiting; it is copied.
    ///
    /// `unreachable` until the event of the handshake has been taken (by ``nextEvent()`` or a reactor) and after that of
    /// the loss. `wouldBlock` if the queue is full, or, over libzmq, the connection lost and its event not yet taken.
    public func send(_ bytes: Span<UInt8>) -> SendOutcome {
        let outcome = link?.send(bytes, to: nil) ?? .unreachable
        tally.counters.count(outcome)
        return outcome
    }

    /// The next connection event, if no reactor takes them.
    public func nextEvent() throws(TransportError) -> MonitorEvent? { try link?.nextEvent() }

    /// Blocks until a frame or an event is there, for code that has no reactor; false when the time is over.
    public func wait(milliseconds: Int) throws(TransportError) -> Bool {
        try link?.wait(milliseconds: milliseconds) ?? false
    }
}
