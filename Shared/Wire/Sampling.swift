/// How the next token is chosen. A function of these, the logits, the position and nothing else.
///
/// The codec carries every number as it is; who admits requests checks that they are finite and in range, so that a
/// client hears which one is wrong.
public struct SamplingParameters: Equatable, Sendable {
    public var seed: UInt64
    /// 0 means greedy.
    public var temperature: Float
    /// 1 means off.
    public var topP: Float
    /// 0 means off.
    public var minP: Float
    /// 0 means off.
    public var topK: UInt32
    /// 1 means off.
    public var repetitionPenalty: Float
    /// 0 means off.
    public var presencePenalty: Float
    /// 0 means off.
    public var frequencyPenalty: Float

    public init(
        seed: UInt64 = 0, temperature: Float = 1, topP: Float = 1, minP: Float = 0, topK: UInt32 = 0,
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
}

/// When generation ends. All count from the original prompt, resumed tokens included.
public struct GenerationLimits: Equatable, Sendable {
    public var maximumTokens: UInt32
    public var minimumTokens: UInt32
    /// Go on past end-of-generation tokens.
    public var ignoreEndOfSequence: Bool

    public init(maximumTokens: UInt32, minimumTokens: UInt32 = 0, ignoreEndOfSequence: Bool = false) {
        self.maximumTokens = maximumTokens
        self.minimumTokens = minimumTokens
        self.ignoreEndOfSequence = ignoreEndOfSequence
    }
}

/// Which of the prompt's forms a request uses.
public enum PromptForm: UInt8, Sendable, CaseIterable {
    /// `strings` are role, content, role, content, …
    case chat = 1
    /// `strings` is one text.
    case text = 2
    /// `tokens` are the ids.
    case tokens = 3
    /// `strings` is one JSON array of message objects, given to the chat template as it is. From version 2 on.
    case messages = 4
}

/// A shift of one token's logit before the next token is chosen.
public struct LogitBias: Equatable, Sendable {
    public var token: UInt32
    public var bias: Float

    public init(token: UInt32, bias: Float) {
        self.token = token
        self.bias = bias
    }
}

/// What a request asks for besides sampling and limits, all the way down to the worker. From version 2 on.
public struct GenerationOptions: Equatable, Sendable {
    /// Among a tenant's own requests the lower ones go first.
    public var priority: Int32 = 0
    /// The tenant's share of what there is, in thousandths; 0 for the ordinary 1,000. Said by ingest, not by clients.
    public var weight: UInt32 = 0
    /// Nanoseconds that the client still waits, counted from when the frame is sent; 0: no bound.
    public var timeLeft: UInt64 = 0
    /// Ids that end the answer and are not part of its text.
    public var stopTokens: [UInt32] = []
    public var logitBias: [LogitBias] = []
    /// Prefixes are shared between requests of one tenant with the same salt alone.
    public var cacheSalt = ""

    public init() {}

    /// Whether a station of version 1, which never hears of these, would give another answer, or share what it must
    /// not.
    public var needsVersion2: Bool { !stopTokens.isEmpty || !logitBias.isEmpty || !cacheSalt.isEmpty }
}

/// How the chat template is applied. From version 2 on.
public struct TemplateOptions: Equatable, Sendable {
    /// A JSON object whose members the template sees as variables; empty for none.
    public var arguments = ""
    /// The last message is the answer's begin: the template leaves it open.
    public var continuesFinalMessage = false
    /// The template does not begin the assistant's turn.
    public var omitsGenerationPrompt = false

    public init() {}

    /// Whether it asks for anything.
    public var isDefault: Bool { self == TemplateOptions() }
}
