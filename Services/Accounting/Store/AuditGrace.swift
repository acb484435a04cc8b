/// How long after its end the records of a request may still be on their way from their stations' spools.
///
/// An ingest and a worker tell the ledger of one request in sessions of their own, so a settlement may be on disk before
/// the record of the attempt that made its tokens. Only time tells that from an attempt that nobody will ever state.
public struct AuditGrace: Equatable, Sendable {
    /// The time of the audit, in nanoseconds since 1970, by the clock that accounting notes rows with.
    public var now: UInt64
    /// Nanoseconds.
    public var length: UInt64

    /// Long enough for a commit that is tried again, a session that is dialled again and a spool that is adopted.
    public static let defaultSeconds: UInt64 = 30

    public init(now: UInt64, length: UInt64) {
        self.now = now
        self.length = length
    }

    /// Whether a row that was received then is so young. A row from a later time than the audit's is one that came
    /// since, or of a clock that was wrong: beyond the grace it excuses nothing either.
    func covers(_ received: Int64) -> Bool {
        (Int128(received) - Int128(now)).magnitude < UInt128(length)
    }
}
