/// Settings of a ledger.
public struct LedgerSettings: Equatable, Sendable {
    /// How long a claimed idempotency key is kept, in nanoseconds.
    public var claimTime: UInt64
    /// Rows between two kept checkpoints.
    public var checkpointRows: Int64
    /// Requests that one `expire` handles at most.
    public var expiryBatch: Int
    /// How long to wait for another process's lock on the database.
    public var lockTimeoutSeconds: Double

    public init(
        claimTime: UInt64 = 86_400_000_000_000, checkpointRows: Int64 = 1024, expiryBatch: Int = 4096,
        lockTimeoutSeconds: Double = 5
    ) {
        self.claimTime = claimTime
        self.checkpointRows = max(1, checkpointRows)
        self.expiryBatch = max(1, expiryBatch)
        self.lockTimeoutSeconds = lockTimeoutSeconds
    }
}
