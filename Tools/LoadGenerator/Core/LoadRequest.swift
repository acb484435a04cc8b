public import Wire

/// One request to a door.
public struct LoadRequest: Sendable {
    /// Counts a run's requests, from 0.
    public var index: Int
    public var id: RequestID
    public var model: String
    public var prompt: LoadPrompt
    public var maximumTokens: Int
    public var temperature: Double?
    public var ignoresEndOfSequence: Bool
    public var wantsHops: Bool
    public var keepsText: Bool
    public var seed: UInt64
}

/// What a request asks.
public enum LoadPrompt: Equatable, Sendable {
    /// One user message.
    case chat(String)
    /// Token ids, for a completion.
    case tokens([UInt32])
}

/// What became of one request. Times are nanoseconds on this process's monotonic clock.
public struct LoadOutcome: Sendable {
    public var index: Int
    public var id: RequestID
    /// When it should have been sent.
    public var intendedAt: UInt64 = 0
    public var sentAt: UInt64 = 0
    /// When its first token came; 0: none did.
    public var firstAt: UInt64 = 0
    /// When its last token came.
    public var lastAt: UInt64 = 0
    /// When its end came, be it an error.
    public var endedAt: UInt64 = 0
    /// Between the deliveries of its tokens. A delivery may bring several.
    public var gaps: [UInt64] = []
    public var promptTokens = 0
    public var cachedTokens = 0
    /// Tokens of the answer, as the service counts them.
    public var tokens = 0
    /// The finish reason in OpenAI's words; nil: the answer did not come to its end.
    public var finish: String?
    /// Why it failed.
    public var error: String?
    public var text = ""
    public var hops: [HopRecord] = []

    public init(index: Int, id: RequestID) {
        self.index = index
        self.id = id
    }

    /// Whether the whole answer came.
    public var isComplete: Bool { error == nil && finish != nil }

    /// Notes a delivery of tokens at this time.
    mutating func delivered(at now: UInt64) {
        if firstAt == 0 { firstAt = now } else { gaps.append(now &- lastAt) }
        lastAt = now
    }
}
