/// What a tokenizer has done since it started; every field only grows.
struct TokenizerCounters: Sendable {
    /// Requests taken from ingests.
    var requests: UInt64 = 0
    /// Questions about tokens.
    var questions: UInt64 = 0
    /// Tokens of their prompts.
    var promptTokens: UInt64 = 0
    /// Tokens that workers sent.
    var tokens: UInt64 = 0
    /// Cancels from above.
    var cancels: UInt64 = 0
    /// Requests that ended with an error.
    var failures: UInt64 = 0
    /// Attempts of workers that were lost.
    var lostAttempts: UInt64 = 0
    /// Answers that did not belong to their prompt.
    var digestMismatches: UInt64 = 0
    /// Rows whose position was not the next one.
    var misplacedRows: UInt64 = 0
    /// Rows with what was not asked for: ids outside the vocabulary, too many tokens, more cached than given.
    var unboundedRows: UInt64 = 0
    /// Requests whose time was over.
    var overdue: UInt64 = 0
}
