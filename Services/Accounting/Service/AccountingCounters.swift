/// What accounting has done since it started; every field only grows.
struct AccountingCounters: Sendable {
    /// Frames of events taken.
    var batches: UInt64 = 0
    /// New events on disk.
    var recorded: UInt64 = 0
    /// Events that were on disk already.
    var duplicates: UInt64 = 0
    /// Events that contradict others.
    var conflicts: UInt64 = 0
    /// Groups that could not be written.
    var failures: UInt64 = 0
    /// Numbers of producers that are missing for good, in ranges.
    var gaps: UInt64 = 0
    /// Statements that their producers may not make.
    var refused: UInt64 = 0
    /// Idempotency keys that were asked for.
    var claims: UInt64 = 0
    /// Times that the link was left unread, since too much waited for the disk.
    var pauses: UInt64 = 0
}
