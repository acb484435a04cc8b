/// First frame of a dialling station, and again whenever its session has ended.
public struct Hello: Equatable, Sendable {
    public var role: StationRole
    public var minimumVersion: UInt8
    public var maximumVersion: UInt8
    /// The dialling process's boot: random, never reused.
    public var epoch: UInt64
    /// Counts this dialler's hellos, so that each makes another session.
    public var attempt: UInt32
    /// Requests that the station can hold at once over all its links.
    public var slots: UInt32
    /// Tokens that prompt and answer may have together; 0 where it does not apply.
    public var contextLength: UInt32
    /// The model served, UTF-8; empty where it does not apply.
    public var model: String
    /// A name for operators, UTF-8.
    public var name: String
    /// Bytes of the longest token of the vocabulary, so that a prompt that cannot fit is known before it is tokenized;
    /// 0 where it is not known.
    public var longestToken: UInt32 = 0
    /// A client's API key. Carried where the lowest version that the sender speaks is 2 or later.
    public var key = ""

    public init(
        role: StationRole, minimumVersion: UInt8 = ProtocolVersion.minimum,
        maximumVersion: UInt8 = ProtocolVersion.current, epoch: UInt64, attempt: UInt32 = 1, slots: UInt32 = 0,
        contextLength: UInt32 = 0, model: String = "", name: String = ""
    ) {
        self.role = role
        self.minimumVersion = minimumVersion
        self.maximumVersion = maximumVersion
        self.epoch = epoch
        self.attempt = attempt
        self.slots = slots
        self.contextLength = contextLength
        self.model = model
        self.name = name
    }
}

/// Opens a session; every later frame of both sides carries `session`.
public struct Welcome: Equatable, Sendable {
    public var role: StationRole
    /// The version that both sides write from now on.
    public var version: UInt8
    /// Boot of the station above.
    public var epoch: UInt64
    public var session: UInt32
    /// Trays that may be unacknowledged.
    public var window: UInt16
    /// How often heartbeats come, in milliseconds.
    public var heartbeatMilliseconds: UInt32
    /// Silence after which either side ends the session, in milliseconds.
    public var timeoutMilliseconds: UInt32
    /// The model served by the line below, where known (for clients); else empty.
    public var model: String
    public var name: String
    /// Client door: bytes of `output` that go out before the client must show that it read; 0 elsewhere.
    public var outputWindow: UInt32 = 0

    public init(
        role: StationRole, version: UInt8 = ProtocolVersion.current, epoch: UInt64, session: UInt32, window: UInt16,
        heartbeatMilliseconds: UInt32, timeoutMilliseconds: UInt32, model: String = "", name: String = ""
    ) {
        self.role = role
        self.version = version
        self.epoch = epoch
        self.session = session
        self.window = window
        self.heartbeatMilliseconds = heartbeatMilliseconds
        self.timeoutMilliseconds = timeoutMilliseconds
        self.model = model
        self.name = name
    }
}

/// Ends a session, or says that the one named is unknown. The header's session is the one that is reset.
public struct Reset: Equatable, Sendable {
    public var status: Status

    public init(status: Status) { self.status = status }
}

/// Periodic, from above. The header's `sentAt` is the first of the four timestamps.
public struct Heartbeat: Equatable, Sendable {
    /// Requests that wait above for credit.
    public var waiting: UInt32
    /// Trays taken so far in this session (what `trayAck` says too).
    public var traysTaken: UInt64

    public init(waiting: UInt32, traysTaken: UInt64) {
        self.waiting = waiting
        self.traysTaken = traysTaken
    }
}

/// The answer to a heartbeat. The header's `sentAt` is the third timestamp.
public struct HeartbeatReply: Equatable, Sendable {
    /// The heartbeat's `sentAt`.
    public var originAt: UInt64
    /// When the heartbeat was read, on the replier's clock.
    public var receivedAt: UInt64
    /// Requests held over all links.
    public var held: UInt32
    /// Requests that the station could take besides.
    public var free: UInt32
    /// Nanoseconds since the engine (or its like) last made a step while holding work; 0 when it holds none.
    public var stepAge: UInt64
    /// Tokens that prompt and answer may have together now; 0 where it is not known.
    public var contextLength: UInt32 = 0

    public init(originAt: UInt64, receivedAt: UInt64, held: UInt32, free: UInt32, stepAge: UInt64) {
        self.originAt = originAt
        self.receivedAt = receivedAt
        self.held = held
        self.free = free
        self.stepAge = stepAge
    }
}

/// A cumulative count, the whole content of several control frames:
/// `credit` (requests of this session that may be sent), `recall` (the limit asked for), `recallAck` (the limit that
/// holds), `demand` (requests waiting), `trayAck` (trays taken), `probe` and `probeReply` (the probe's number),
/// `recordAck` (records on disk). From a client, `trayAck` counts the `output` trays that it has read.
public struct Count: Equatable, Sendable {
    public var value: UInt64

    public init(_ value: UInt64) { self.value = value }
}

/// Ends one request of this session.
public struct Cancel: Equatable, Sendable {
    public var handle: UInt32

    public init(handle: UInt32) { self.handle = handle }
}
