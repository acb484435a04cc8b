/// Prompts of random tokens, the same for the same seed.
public struct RandomPrompts: Sendable {
    /// How tokens are written.
    public enum Form: Equatable, Sendable {
        /// Their ids, for a completion.
        case ids
        /// Short words, about a token each, as a chat's message.
        case chat
        /// The same, as a completion's text.
        case text
    }

    public var lengths: LengthDistribution
    /// Tokens at the beginning that all prompts of a group have in common, besides their own.
    public var prefixTokens: Int
    /// Requests belong to so many groups, by turns.
    public var prefixGroups: Int
    public var form: Form
    public var seed: UInt64

    public init(
        lengths: LengthDistribution, prefixTokens: Int = 0, prefixGroups: Int = 1, form: Form = .ids, seed: UInt64
    ) {
        self.lengths = lengths
        self.prefixTokens = max(0, prefixTokens)
        self.prefixGroups = max(1, prefixGroups)
        self.form = form
        self.seed = seed
    }

    func prompt(_ index: Int) -> LoadPrompt {
        var generator = SeededGenerator(seed: seed &+ UInt64(index) &* 0x2545_F491_4F6C_DD1D)
        let own = lengths.sample(using: &generator)
        var tokens = TokenWriter(capacity: prefixTokens + own)
        if prefixTokens > 0 {
            var shared = SeededGenerator(seed: ~seed &+ UInt64(index % prefixGroups) &* 0x9E6C_63D0_876A_3F6B)
            tokens.append(prefixTokens, &shared)
        }
        tokens.append(own, &generator)
        return tokens.prompt(form)
    }
}

/// Gathers random tokens.
struct TokenWriter {
    private(set) var tokens: [UInt32] = []

    init(capacity: Int) { tokens.reserveCapacity(capacity) }

    /// Appends ids that every vocabulary has, above those that models use for control.
    mutating func append(_ count: Int, _ generator: inout SeededGenerator) {
        for _ in 0..<count { tokens.append(UInt32.random(in: 1000..<16_000, using: &generator)) }
    }

    func prompt(_ form: RandomPrompts.Form) -> LoadPrompt {
        switch form {
        case .ids: .tokens(tokens)
        case .chat: .chat(text)
        case .text: .text(text)
        }
    }

    private var text: String {
        tokens.map { Self.words[Int($0) % Self.words.count] }.joined(separator: " ")
    }

    /// Frequent English words: one token each, with the space before it, in the usual vocabularies.
    private static let words = [
        "the", "of", "and", "to", "in", "is", "that", "for", "it", "as", "was", "with", "be", "by", "on", "not", "he",
        "his", "but", "at", "are", "this", "have", "from", "or", "had", "an", "they", "which", "one", "you", "were",
        "all", "her", "she", "there", "would", "their", "we", "him", "been", "has", "when", "who", "will", "no", "more",
        "if", "out", "so", "up", "said", "what", "its", "about", "than", "into", "them", "can", "only", "other", "time",
        "new", "some", "could", "these", "two", "may", "first", "then", "do", "any", "like", "my", "now", "over",
        "such",
        "our", "man", "me", "even", "most", "made", "after", "also", "well", "did", "many", "must", "before", "back",
        "see", "through", "way", "where", "get", "much", "go", "good", "your", "know", "down", "work", "year", "life",
    ]
}
