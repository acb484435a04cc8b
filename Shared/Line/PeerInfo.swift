public import Wire

/// A station below, as its hello described it.
public struct PeerInfo: Equatable, Sendable {
    public var session: SessionRef
    public var role: StationRole
    /// The protocol version of the session.
    public var version: UInt8
    /// The process's boot.
    public var epoch: UInt64
    /// Requests that it can hold at once over all its links.
    public var slots: UInt32
    /// Tokens that prompt and answer may have together; 0 where it does not apply.
    public var contextLength: UInt32
    /// Empty where it does not apply.
    public var model: String
    public var name: String
    /// Bytes of the longest token of its vocabulary; 0 where it is not known.
    public var longestToken: UInt32 = 0
    /// A client's API key; empty where it gave none.
    public var key = ""
}

/// What stands in the header of a frame that is to be sent at once.
public struct FrameStamp: Equatable, Sendable {
    /// 0 when the session is not current.
    public var sequence: UInt64
    /// The session's protocol version; 1 where there is none, which everybody reads.
    public var version: UInt8

    static let none = FrameStamp(sequence: 0, version: ProtocolVersion.minimum)
}

/// How a station below stands at the moment.
struct PeerLoad: Equatable, Sendable {
    /// Requests that may still be sent to it.
    var credit: UInt64
    /// Requests of ours that it holds.
    var leases: Int
    /// Requests that it holds over all its links, by its last heartbeat.
    var held: UInt32
    /// Requests that it could take besides, by its last heartbeat.
    var free: UInt32
    /// Nanoseconds since its engine last made a step while holding work, by its last heartbeat.
    var stepAge: UInt64
    /// It said goodbye, or its session is being renewed: it gets no work.
    var isLeaving: Bool
    var clock: ClockOffset
}

/// Why a lease ended without a finish.
public enum LossReason: Equatable, Sendable {
    /// Its session ended, for this reason.
    case sessionEnded(Status)
    /// A draining station gave it back.
    case handedBack
}
