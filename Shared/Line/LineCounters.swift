/// What happened on a station's links since it started; every field only grows.
public struct LineCounters: Equatable, Sendable {
    /// Sessions that began.
    public var sessions: UInt64 = 0
    /// Sessions that ended, for whatever reason.
    public var sessionsEnded: UInt64 = 0
    /// Hellos that were refused (above), or refusals that were read (below).
    public var refusals: UInt64 = 0
    /// Frames that did not decode.
    public var badFrames: UInt64 = 0
    /// Frames of a session that is not, or no longer, there.
    public var staleFrames: UInt64 = 0
    /// Frames whose sequence number was seen before; dropped.
    public var replayedFrames: UInt64 = 0
    /// Sessions ended because frames were missing.
    public var sequenceGaps: UInt64 = 0
    /// Sessions ended because a peer broke the protocol.
    public var violations: UInt64 = 0
    /// Sessions ended for silence.
    public var silences: UInt64 = 0
    /// Sessions ended because an engine made no step although it held work.
    public var hungEngines: UInt64 = 0
    /// Sessions ended because a frame could not be sent.
    public var sendFailures: UInt64 = 0
    /// Rows or cancels for a handle without a lease; dropped.
    public var unknownHandles: UInt64 = 0
    /// Works dispatched (above) or accepted (below).
    public var dispatched: UInt64 = 0
    /// Leases that ended as their holder said.
    public var finished: UInt64 = 0
    /// Leases that ended with their session.
    public var lost: UInt64 = 0
    /// Leases that a draining station gave back.
    public var handedBack: UInt64 = 0
    /// Works refused because too many waited.
    public var refusedWorks: UInt64 = 0
    /// Recalls of unused credit.
    public var recalls: UInt64 = 0
    /// Demands for credit.
    public var demands: UInt64 = 0

    public init() {}
}
