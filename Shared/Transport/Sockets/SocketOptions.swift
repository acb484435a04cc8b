/// What a socket is set to before it binds or connects; libzmq crashes or ignores it when some are set later.
public struct SocketOptions: Sendable {
    /// Who speaks ZMTP on links that both can have: those without CURVE, over TCP or Unix sockets. The rest is libzmq's.
    enum Implementation: Sendable {
        /// The socket's own thread: the fewest wake-ups.
        case direct
        /// libzmq and its I/O thread.
        case library
    }

    var implementation = Implementation.direct
    /// A peer that sends a longer frame is disconnected; not negative.
    public var maximumMessageBytes: Int64 = 16 << 20
    /// Frames for each peer. Credit is the flow control: these stand above all of it, and reaching one is a bug.
    public var sendHighWater: Int32 = 100_000
    /// Where libzmq receives; our own streams read no further than their owner takes.
    public var receiveHighWater: Int32 = 100_000
    /// ZMTP heartbeats, in milliseconds: they find dead connections.
    public var heartbeatInterval: Int32 = 1000
    public var heartbeatTimeout: Int32 = 3000
    public var heartbeatTimeToLive: Int32 = 3000
    /// Milliseconds from the first byte of a dealer's attempt to the end of its handshake; a router's are among
    /// ``limits``.
    public var handshakeTimeout: Int32 = 5000
    /// What the connections of a router may cost.
    public var limits = ConnectionLimits()
    /// Milliseconds before a dealer connects again, doubled up to the maximum; of our own streams' each is shortened by
    /// chance to no less than half.
    public var reconnectInterval: Int32 = 50
    public var reconnectMaximum: Int32 = 1000
    /// Milliseconds that libzmq keeps a closed socket's unsent frames: none, since stations drain on their own. Our own
    /// streams give the kernel what it takes at once.
    public var linger: Int32 = 0
    /// Whether a router reports connections (a dealer always does); the events name no peer.
    public var monitored = false
    /// Counts the connections of a router that libzmq speaks for, which then ends those that go beyond ``limits``.
    public var gate: ConnectionGate?
    /// What the ZAP authenticator is told about a CURVE server.
    public var securityDomain = "tokenfactory"

    public init() {}

    /// - Parameter connections: What a router takes at once.
    public init(connections: Int) { limits.connections = connections }

    /// libzmq holds each frame that has begun, up to its full length and without an end to the time: so there may be few
    /// strangers where frames may be long.
    public mutating func boundStrangersOfLibrary() {
        let longest = Int(clamping: max(1, maximumMessageBytes))
        limits.strangers = min(limits.strangers, max(1, Self.strangerBytes / longest))
    }

    /// Bytes of frames that strangers may have begun on one listening socket of libzmq's. A station has two at most.
    private static let strangerBytes = 112 << 20
}

/// What became of a frame.
public enum SendOutcome: Hashable, Sendable {
    /// It waits for the kernel, or is on its way.
    case sent
    /// The peer's queue is full.
    case wouldBlock
    /// No such peer, or the dealer has no connection.
    case unreachable
    /// Anything else, with its errno.
    case failed(Int32)
}

/// What a socket has seen since it was made.
public struct SocketCounters: Hashable, Sendable {
    /// Frames handed to the caller.
    public var received: UInt64 = 0
    /// Frames taken to be sent.
    public var sent: UInt64 = 0
    public var wouldBlock: UInt64 = 0
    public var unreachable: UInt64 = 0
    public var failed: UInt64 = 0
    /// Messages dropped since they had more than one part.
    public var malformed: UInt64 = 0
    /// Messages dropped since the peer's routing id has not eight bytes.
    public var foreignPeers: UInt64 = 0
    /// Connections not taken, or ended: libzmq tells of those alone that the authenticator turned away.
    public var refusals = ConnectionRefusals()

    public var refusedConnections: UInt64 { refusals.total }

    /// Whatever was refused of what peers sent.
    public var refused: UInt64 { malformed + foreignPeers + refusedConnections }

    public init() {}

    mutating func count(_ outcome: SendOutcome) {
        switch outcome {
        case .sent: sent += 1
        case .wouldBlock: wouldBlock += 1
        case .unreachable: unreachable += 1
        case .failed: failed += 1
        }
    }
}

/// What a socket's monitor reports.
public struct MonitorEvent: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// The transport is connected, the handshake not done: nobody has answered yet.
        case connected
        /// A server accepted a connection.
        case accepted
        /// The peer is there, and authenticated if the link has CURVE.
        case handshakeSucceeded
        case handshakeFailed(HandshakeFailure)
        case disconnected
        /// The connection could not be accepted: errno.
        case acceptFailed(Int32)
    }

    public let kind: Kind
    /// The address in libzmq's form: the dialled one on a dealer, the bound one on a router.
    public let endpoint: String
    /// The connection's, where libzmq tells it.
    var descriptor: Int32?
}

/// How a handshake failed.
public enum HandshakeFailure: Hashable, Sendable {
    /// Only the errno is known: the peer hung up or the time was over.
    case noDetail(Int32)
    /// The same as libzmq tells it, one of its `ZMQ_PROTOCOL_ERROR_…`.
    case protocolError(Int32)
    /// The peer broke ZMTP, or asks for what is not spoken here: what it did.
    case malformed(String)
    /// Refused by the authenticator, with its status: 300, 400 or 500.
    case refused(Int32)
}
