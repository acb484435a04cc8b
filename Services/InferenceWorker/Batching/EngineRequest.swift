/// How the next token is chosen: a function of these, the logits, the position and nothing else.
public struct SamplingSettings: Equatable, Sendable {
    public var seed: UInt64
    /// 0 means greedy.
    public var temperature: Float
    /// 1 means off.
    public var topP: Float
    /// 0 means off.
    public var minP: Float
    /// 0 means off.
    public var topK: UInt32
    /// Divides the positive logits, and multiplies the negative ones, of tokens that stand in the prompt or the answer
    /// (Keskar et al. 2019, "CTRL"). 1 means off.
    public var repetitionPenalty: Float
    /// Subtracted once from the logit of a token that stands in the answer. 0 means off.
    public var presencePenalty: Float
    /// Subtracted from the logit of a token once for each time that it stands in the answer. 0 means off.
    public var frequencyPenalty: Float

    public init(
        seed: UInt64 = 0, temperature: Float = 0, topP: Float = 1, minP: Float = 0, topK: UInt32 = 0,
        repetitionPenalty: Float = 1, presencePenalty: Float = 0, frequencyPenalty: Float = 0
    ) {
        self.seed = seed
        self.temperature = temperature
        self.topP = topP
        self.minP = minP
        self.topK = topK
        self.repetitionPenalty = repetitionPenalty
        self.presencePenalty = presencePenalty
        self.frequencyPenalty = frequencyPenalty
    }

    /// Whether the tokens so far change the logits.
    public var hasPenalties: Bool {
        repetitionPenalty != 1 || presencePenalty != 0 || frequencyPenalty != 0
    }
}

/// When generation ends, counted from the end of the original prompt.
public struct TokenLimits: Equatable, Sendable {
    public var maximumTokens: Int
    /// Before these are made, no end-of-generation token can be chosen.
    public var minimumTokens: Int
    /// Go on past end-of-generation tokens.
    public var ignoresEndOfGeneration: Bool

    public init(maximumTokens: Int, minimumTokens: Int = 0, ignoresEndOfGeneration: Bool = false) {
        self.maximumTokens = maximumTokens
        self.minimumTokens = minimumTokens
        self.ignoresEndOfGeneration = ignoresEndOfGeneration
    }
}

/// A request as the scheduler takes it.
public struct EngineRequest: Equatable, Sendable {
    /// The caller's key; no two requests that are held at the same time share one.
    public var id: UInt64
    /// The original prompt, then what earlier attempts generated.
    public var tokens: [UInt32]
    /// How many of `tokens`, at their end, earlier attempts generated.
    public var generatedCount: Int
    public var sampling: SamplingSettings
    public var limits: TokenLimits
    /// nil: none.
    public var rules: TokenRules?
    /// Whose it is.
    public var tenant: String
    /// Among a tenant's own requests that wait the lower ones go first.
    public var priority: Int32
    /// When nobody wants it any more, on the clock of `Scheduler.plan(into:now:)`; nil: never.
    public var deadline: UInt64?
    /// With whom it shares what is cached.
    public var owner: CacheOwner
    /// 64-bit FNV-1a over the little-endian bytes of the original prompt's ids.
    public let promptDigest: UInt64

    /// - Parameter generatedCount: at most `tokens.count`; more counts as that.
    public init(
        id: UInt64, tokens: [UInt32], generatedCount: Int = 0, sampling: SamplingSettings = SamplingSettings(),
        limits: TokenLimits, rules: TokenRules? = nil, tenant: String = "", priority: Int32 = 0,
        deadline: UInt64? = nil, owner: CacheOwner = CacheOwner()
    ) {
        self.id = id
        self.tokens = tokens
        self.generatedCount = max(0, min(generatedCount, tokens.count))
        self.sampling = sampling
        self.limits = limits
        self.rules = rules
        self.tenant = tenant
        self.priority = priority
        self.deadline = deadline
        self.owner = owner
        promptDigest = Self.digest(tokens.prefix(tokens.count - self.generatedCount))
    }

    /// Tokens of the original prompt.
    public var promptCount: Int { tokens.count - generatedCount }

    private static func digest(_ tokens: ArraySlice<UInt32>) -> UInt64 {
        var value: UInt64 = 0xcbf2_9ce4_8422_2325
        for token in tokens {
            var rest = token
            for _ in 0..<4 {
                value = (value ^ UInt64(rest & 0xff)) &* 0x0000_0100_0000_01b3
                rest >>= 8
            }
        }
        return value
    }
}
