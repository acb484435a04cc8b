import CZeroMQ

/// The upper end of a link: binds, and talks to many dealers by their routing ids.
///
/// Belongs to one thread at a time. What it drops (messages of several parts, peers whose id has not eight bytes) is
/// counted. A peer that comes back under an id takes it over, and frames not yet read from the old connection are lost.
public struct RouterSocket: ~Copyable {
    private let context: Context
    private let options: SocketOptions
    private let security: Security
    /// The first address decides who speaks for it; nil before it is bound.
    private(set) var link: (any LinkSocket)?
    private let tally = SocketTally()

    public init(
        _ context: Context, options: SocketOptions = SocketOptions(), security: Security = .plain
    ) throws(TransportError) {
        self.context = context
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

    /// Binds, and says where: the actual port if it was 0. All addresses of one socket are within the process, or none.
    @discardableResult
    public mutating func bind(_ endpoint: Endpoint) throws(TransportError) -> Endpoint {
        if let link { return try link.bind(endpoint) }
        let link: any LinkSocket
        if options.isDirect(endpoint, security) {
            link = StreamSocket(.router, options: options, tally: tally)
        } else {
            let library = try LibrarySocket(
                context, type: ZMQ_ROUTER, options: options, gate: options.gate, tally: tally)
            try library.set(ZMQ_ROUTER_MANDATORY, 1)
            try library.set(ZMQ_ROUTER_HANDOVER, 1)
            try library.apply(security, domain: options.securityDomain)
            if options.monitored || options.gate != nil { try library.startMonitor() }
            link = library
        }
        let bound = try link.bind(endpoint)
        if link is LibrarySocket { options.gate?.open(port: bound.port, limits: options.limits) }
        self.link = link
        return bound
    }

    /// Closes the socket: later sends fail, and nothing is received. Dropping it does the same.
    public func close() { link?.release() }

    /// Takes up to `limit` frames without waiting and lends each to `body`, which says whether to go on. It may send,
    /// admit and close meanwhile; who receives within it gets nothing.
    ///
    /// Ends early after many bad messages; the socket is then still readable for the reactor's next turn.
    public func receive(upTo limit: Int, _ body: (ReceivedFrame) -> Bool) throws(TransportError) {
        try link?.receive(upTo: limit, body)
    }

    /// Takes and copies the next frame without waiting; nil if there is none, or many bad messages stand before it.
    public func receive() throws(TransportError) -> RoutedMessage? {
        var routed: RoutedMessage?
        try receive(upTo: 1) {
            routed = RoutedMessage($0)
            return true
        }
        return routed
    }

    /// Ends the strangers among libzmq's connections that cost too much; to be called every few milliseconds.
    public func tend(_ now: UInt64) { link?.tend(now) }

    /// Says that a peer has shown who it is and is no stranger any more, as long as its connection stands; see
    /// ``ConnectionLimits``.
    ///
    /// - Parameter source: What the message that showed it has as its ``Message/source``.
    public func admit(_ peer: PeerID, source: Int32?) { link?.admit(peer, source: source) }

    /// Sends one frame without waiting; it is copied.
    public func send(_ bytes: Span<UInt8>, to peer: PeerID) -> SendOutcome {
        let outcome = link?.send(bytes, to: peer) ?? .unreachable
        tally.counters.count(outcome)
        return outcome
    }

    /// The next connection event, if the options ask for them and no reactor takes them.
    public func nextEvent() throws(TransportError) -> MonitorEvent? { try link?.nextEvent() }

    /// Blocks until a frame or an event is there, for code that has no reactor; false when the time is over.
    public func wait(milliseconds: Int) throws(TransportError) -> Bool {
        try link?.wait(milliseconds: milliseconds) ?? false
    }
}

extension SocketOptions {
    /// Whether a link to this address is ours to speak for; libzmq's are those with CURVE and those within the process.
    func isDirect(_ endpoint: Endpoint, _ security: Security) -> Bool {
        guard implementation == .direct, case .plain = security else { return false }
        if case .inproc = endpoint { return false }
        return true
    }
}
