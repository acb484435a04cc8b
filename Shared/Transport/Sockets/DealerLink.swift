/// A dealer in a box with its registration, since collections cannot hold noncopyable sockets: for an actor that keeps
/// a varying number of links, say in a dictionary. Not `Sendable`: it stays in the actor that made it.
public final class DealerLink {
    public let endpoint: Endpoint
    public var socket: DealerSocket
    private var registration: Registration?

    /// Makes the dealer and begins to connect it.
    public init(
        _ context: Context, routingID: PeerID, to endpoint: Endpoint, options: SocketOptions = SocketOptions(),
        security: Security = .plain
    ) throws(TransportError) {
        self.endpoint = endpoint
        socket = try DealerSocket(context, routingID: routingID, options: options, security: security)
        try socket.connect(endpoint)
    }

    /// Lets the reactor watch the dealer, on the reactor's thread; see ``Reactor/register(_:onReadable:onMonitor:)``.
    public func attach(
        to reactor: Reactor, onReadable: @escaping @Sendable () -> Void,
        onMonitor: @escaping @Sendable (MonitorEvent) -> Void
    ) {
        registration = reactor.register(socket, onReadable: onReadable, onMonitor: onMonitor)
    }

    /// Closes the socket; later sends fail and nothing is received. Dropping the link does the same.
    public func close() {
        registration = nil
        socket.close()
    }

    public func send(_ bytes: Span<UInt8>) -> SendOutcome { socket.send(bytes) }

    public func receive() throws(TransportError) -> Message? { try socket.receive() }

    /// See ``DealerSocket/receive(upTo:_:)``.
    public func receive(upTo limit: Int, _ body: (ReceivedFrame) -> Bool) throws(TransportError) {
        try socket.receive(upTo: limit, body)
    }
}
