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
}
