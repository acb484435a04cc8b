import Wire

/// Nanoseconds on one process's monotonic clock.
public typealias LinkTime = UInt64

/// The bounds and intervals that a station keeps on its links. Times are in nanoseconds.
public struct LineSettings: Equatable, Sendable {
    /// How often the station above sends a heartbeat.
    public var heartbeatInterval: LinkTime
    /// Silence after which either side ends the session.
    public var silenceLimit: LinkTime
    /// Age of the engine's last step, while it holds work, after which it counts as hung; nil reports and checks none
    /// (a station that may rightly wait, as a tokenizer does for a worker).
    public var stepAgeLimit: LinkTime?
    /// Trays that a link may have unacknowledged; at least 1.
    public var trayWindow: UInt16
    /// Peers that a station above has sessions with at once.
    public var maximumPeers: Int
    /// Works that may wait for credit; a further one is refused as busy. Works that come back (`atFront`) are exempt.
    public var waitingLimit: Int
    /// Handles that a session gives out before it is renewed.
    public var handlesPerSession: UInt32
    /// A hello that is not answered for so long is repeated.
    public var helloTimeout: LinkTime
    /// The least time between two hellos on one link.
    public var helloSpacing: LinkTime
    /// Hellos in a row without an answer after which the link wants a new connection.
    public var hellosPerConnection: Int
    /// The highest protocol version to speak.
    public var highestVersion = ProtocolVersion.current

    public init(
        heartbeatInterval: LinkTime = 250_000_000, silenceLimit: LinkTime = 5_000_000_000,
        stepAgeLimit: LinkTime? = 30_000_000_000, trayWindow: UInt16 = 64, maximumPeers: Int = 1024,
        waitingLimit: Int = 4096, handlesPerSession: UInt32 = 1 << 24, helloTimeout: LinkTime = 1_000_000_000,
        helloSpacing: LinkTime = 100_000_000, hellosPerConnection: Int = 3
    ) {
        self.heartbeatInterval = heartbeatInterval
        self.silenceLimit = silenceLimit
        self.stepAgeLimit = stepAgeLimit
        self.trayWindow = max(1, trayWindow)
        self.maximumPeers = maximumPeers
        self.waitingLimit = waitingLimit
        self.handlesPerSession = handlesPerSession
        self.helloTimeout = helloTimeout
        self.helloSpacing = helloSpacing
        self.hellosPerConnection = hellosPerConnection
    }
}
