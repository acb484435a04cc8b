/// What an ingest has done since it started; every field only grows.
struct IngestCounters: Sendable {
    /// Requests admitted.
    var admitted: UInt64 = 0
    /// Requests refused since too many wait.
    var busy: UInt64 = 0
    /// Requests refused for another reason.
    var refused: UInt64 = 0
    /// Requests that ended with an answer.
    var finished: UInt64 = 0
    var cancelled: UInt64 = 0
    var failed: UInt64 = 0
    /// Of the failed, those whose client's time was over.
    var overdue: UInt64 = 0
    /// Requests sent down again after a tokenizer was lost or gave them back.
    var redispatched: UInt64 = 0
    /// Tokens given to clients.
    var delivered: UInt64 = 0
    /// Tokens that came for clients who had left.
    var undelivered: UInt64 = 0
    /// Rows whose position was not the next one.
    var misplacedRows: UInt64 = 0
}
