/// What a worker has done since it started; every field only grows.
struct WorkerCounters: Sendable {
    /// Requests taken from tokenizers.
    var requests: UInt64 = 0
    /// Steps of the engine.
    var steps: UInt64 = 0
    /// Tokens made.
    var tokens: UInt64 = 0
    /// Tokens of prompts, those from the prefix cache included.
    var promptTokens: UInt64 = 0
    /// Tokens of prompts that came from the prefix cache.
    var cachedTokens: UInt64 = 0
    /// Requests cancelled.
    var cancelled: UInt64 = 0
    /// Tokens made for requests after their cancel had arrived.
    var tokensAfterCancel: UInt64 = 0
    /// Requests that failed.
    var failures: UInt64 = 0
}
