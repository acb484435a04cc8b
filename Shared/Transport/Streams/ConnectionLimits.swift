/// What the connections of a listening socket may cost, all together and each.
///
/// A *stranger* is a connection whose peer has not shown who it is, by whatever its socket's owner asks for. Strangers
/// give way: when there are too many, the one that came first goes, since whoever belongs here has shown itself long
/// before. So they cannot keep anybody out by holding connections. Whatever is ended for a bound is counted in
/// ``ConnectionRefusals``.
///
/// With the defaults strangers cost at most 1024 × (32 KiB in + 16 KiB out) = 48 MiB and what 1024 objects take.
public struct ConnectionLimits: Hashable, Sendable {
    /// Connections at once; follows from what descriptors the process may have.
    public var connections = 4096
    /// Connections at once from one IPv4 address or one IPv6 network of 64 bits. Unix sockets have no address.
    public var connectionsPerAddress = 2048
    /// Handshakes under way at once.
    public var handshakes = 256
    /// Milliseconds from a connection to the end of its handshake.
    public var handshakeMilliseconds: Int32 = 2000
    /// Whether the socket's owner says by ``RouterSocket/admit(_:source:)`` who is no stranger any more. If it does not,
    /// whoever has its handshake behind it is none.
    public var hasStrangers = false
    /// Strangers at once, those within their handshake among them.
    public var strangers = 1024
    /// The longest frame of a stranger: far above a hello, which has three names.
    public var strangerFrameBytes = 8 << 10
    /// Bytes that a stranger may send in all, and milliseconds that it may stay one, where libzmq holds the connection:
    /// its handshake and a hello take 2 KiB. libzmq itself bounds neither what a message of many parts takes nor the time.
    public var strangerBytes = 64 << 10
    public var strangerMilliseconds: Int32 = 10_000
    /// Bytes that may wait for a stranger to read them.
    public var strangerUnsentBytes = 16 << 10
    /// Bytes of frames that have begun and whose end has not come, over all connections.
    public var begunBytes = 256 << 20
    /// Milliseconds from a frame's beginning to its end.
    public var begunMilliseconds = 10_000
    /// Bytes that may wait for one peer to read them. Credit and windows hold less back; this is for what they miss.
    public var unsentBytesPerConnection = 1 << 30
    /// The same over all connections.
    public var unsentBytes = 2 << 30

    public init() {}
}

/// Connections that were not taken, or were ended, by reason.
public struct ConnectionRefusals: Hashable, Sendable {
    /// The other side broke ZMTP, asked for what is not spoken here, or sent a longer frame than is taken.
    public var malformed: UInt64 = 0
    /// There were no descriptors or no memory, or no watching it.
    public var unaccepted: UInt64 = 0
    /// More connections, strangers or handshakes than the limits allow, in all or from one address; or, on links with
    /// CURVE, turned away by the authenticator for that.
    public var crowded: UInt64 = 0
    /// The handshake took too long.
    public var slowHandshakes: UInt64 = 0
    /// A frame stayed begun for too long, or too many bytes of such frames were there; a stranger stayed one for too long,
    /// or sent too much.
    public var unfinished: UInt64 = 0
    /// Too many bytes waited for the peer to read them.
    public var unread: UInt64 = 0

    public var total: UInt64 { malformed + unaccepted + crowded + slowHandshakes + unfinished + unread }

    public init() {}
}
