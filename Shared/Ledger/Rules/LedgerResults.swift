public import Wire

/// What one transaction did.
public struct ApplyResult: Equatable, Sendable {
    /// Events that are new.
    public var recorded = 0
    /// Events known already, with the same body: nothing changed.
    public var duplicates = 0
    /// Events that are kept without counting.
    public var conflicts: [LedgerConflict] = []
    /// Spool numbers that are missing for good, by producer.
    public var gaps: [RecordGap] = []
    /// The number up to which all of a producer's events are on disk, for each producer of the batches: what `recordAck`
    /// says to it. 0 while its first is missing.
    public var acknowledged: [UInt64: UInt64] = [:]
    /// Batches of which nothing was taken.
    public var refused: [RefusedBatch] = []
    /// Producers that stated of a request what is not theirs to state, with the last reason. Their events are on disk, as
    /// conflicts.
    public var offenders: [UInt64: ConflictReason] = [:]

    public init() {}
}

/// A batch of which nothing was taken.
public struct RefusedBatch: Hashable, Sendable {
    public var producer: UInt64
    public var reason: BatchViolation
}

/// An event that is kept without counting, for the operator.
public struct LedgerConflict: Hashable, Sendable {
    /// Row of the event.
    public var sequence: Int64
    public var tenant: String
    public var requestID: RequestID
    public var reason: ConflictReason
}

/// Spool numbers that never came although later ones did.
public struct RecordGap: Hashable, Sendable {
    public var producer: UInt64
    public var numbers: ClosedRange<UInt64>
}
