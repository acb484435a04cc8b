/// A question about tokens: `POST /tokenize` and `POST /detokenize`.
public struct DoorTokenQuestion: Equatable, Sendable {
    /// What is asked about, for whom, and how a chat's template is applied; nothing else of it counts. Of token ids the
    /// text is asked for.
    public var request: DoorRequest
    /// The model's begin-of-sequence token goes before the prompt, if it wants one.
    public var addsSpecialTokens: Bool
    /// The answer is to have the text of each token.
    public var wantsPieces: Bool

    public init(_ request: DoorRequest, addsSpecialTokens: Bool, wantsPieces: Bool) {
        self.request = request
        self.addsSpecialTokens = addsSpecialTokens
        self.wantsPieces = wantsPieces
    }
}

/// The answer to it.
public struct DoorTokens: Equatable, Sendable {
    public var tokens: [UInt32]
    /// Where each token's text ends in `text`; empty where the texts were not asked for.
    public var ends: [UInt32]
    /// The tokens' text, which need not be UTF-8.
    public var text: [UInt8]
    /// Tokens that prompt and answer may have together; nil if not known.
    public var contextLength: Int?

    public init(tokens: [UInt32], ends: [UInt32] = [], text: [UInt8] = [], contextLength: Int? = nil) {
        self.tokens = tokens
        self.ends = ends
        self.text = text
        self.contextLength = contextLength
    }
}
