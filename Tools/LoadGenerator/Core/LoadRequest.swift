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
    /// It brings an idempotency key of its own, which is claimed in the ledger before work starts.
    public var hasKey = false
    public var seed: UInt64
    /// Cancel it once so many tokens of its answer have come; nil: let it come to its end.
    public var cancelAfter: Int?
    /// When it should be sent, nanoseconds on this process's monotonic clock.
    public var intendedAt: UInt64

    /// A key that no other request has; empty without one.
    var idempotencyKey: String { hasKey ? "loadgen-\(id)" : "" }
}

/// What a request asks.
public enum LoadPrompt: Equatable, Sendable {
    /// One user message, for a chat.
    case chat(String)
    /// A text that goes on, for a completion.
    case text(String)
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
    /// Milliseconds between the deliveries of its tokens. A delivery may bring several.
    public var gaps: [Float] = []
    public var promptTokens = 0
    public var cachedTokens = 0
    /// Tokens of the answer, as the service counts them.
    public var tokens = 0
    /// Tokens that the answer could have.
    public var maximumTokens = 0
    /// Whether the service said how many tokens there were; if not, each delivery counts as one.
    public var hasUsage = true
    /// Why the service's count of tokens cannot be right; nil: nothing speaks against it.
    public var mismatch: String?
    /// The finish reason in OpenAI's words; nil: the answer did not come to its end.
    public var finish: String?
    /// Why it failed.
    public var error: String?
    /// How often it was sent once more, since the server had ended the connection that was kept for it.
    public var redials = 0
    /// The service was full (HTTP 429).
    public var isBusy = false
    /// This side cancelled it.
    public var isCancelled = false
    public var text = ""
    public var hops: [HopRecord] = []

    public init(index: Int, id: RequestID) {
        self.index = index
        self.id = id
    }

    /// What a request has before it is sent.
    init(_ request: LoadRequest) {
        self.init(index: request.index, id: request.id)
        intendedAt = request.intendedAt
        maximumTokens = request.maximumTokens
    }

    /// Whether the whole answer came.
    public var isComplete: Bool { fate == .complete }

    /// The class that a request is counted in.
    public var fate: LoadFate {
        if isCancelled { return .cancelled }
        if isBusy { return .refused }
        return error == nil && finish != nil ? .complete : .failed
    }

    /// Notes a delivery of tokens at this time.
    mutating func delivered(at now: UInt64) {
        if firstAt == 0 { firstAt = now } else { gaps.append(Float(now &- lastAt) / 1e6) }
        lastAt = now
    }
}

/// How a request ended, as the client saw it.
public enum LoadFate: UInt8, Sendable {
    /// The whole answer came.
    case complete
    /// This side cancelled it, as it was to.
    case cancelled
    /// The service was full and said so.
    case refused
    /// Anything else.
    case failed
}
