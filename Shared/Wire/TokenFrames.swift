/// Ingest → tokenizer: which tokens a prompt has, or which text tokens have. Takes no credit and no lease. From version 2
/// on.
public struct Tokenize: Equatable, Sendable {
    /// The asker's number for it; the answer returns it.
    public var number: UInt64
    /// Nanoseconds after which nobody waits for the answer; 0 for no bound.
    public var timeLeft: UInt64
    /// The tenant's weight in thousandths; 0 for 1,000.
    public var weight: UInt32
    /// With `tokens`, their text is asked for.
    public var form: PromptForm
    /// The model's begin-of-sequence token goes before the prompt, if it wants one.
    public var addsSpecialTokens: Bool
    /// The answer has the text of each token.
    public var wantsPieces: Bool
    public var template: TemplateOptions
    public var tenant: String
    public var model: String
    public var strings: [String]
    public var tokens: [UInt32]

    public init(
        number: UInt64, timeLeft: UInt64 = 0, weight: UInt32 = 0, form: PromptForm, addsSpecialTokens: Bool = true,
        wantsPieces: Bool = false, template: TemplateOptions = TemplateOptions(), tenant: String, model: String,
        strings: [String] = [], tokens: [UInt32] = []
    ) {
        self.number = number
        self.timeLeft = timeLeft
        self.weight = weight
        self.form = form
        self.addsSpecialTokens = addsSpecialTokens
        self.wantsPieces = wantsPieces
        self.template = template
        self.tenant = tenant
        self.model = model
        self.strings = strings
        self.tokens = tokens
    }
}

/// Tokenizer → ingest: the answer. From version 2 on.
public struct Tokenized: Equatable, Sendable {
    public var number: UInt64
    public var status: Status
    /// Tokens that prompt and answer may have together; 0 where no worker has told it.
    public var contextLength: UInt32
    public var tokens: [UInt32]
    /// Where each token's text ends in `text`; empty where the texts were not asked for.
    public var ends: [UInt32]
    /// The tokens' text, which need not be UTF-8; of a failure the reason.
    public var text: [UInt8]

    public init(
        number: UInt64, status: Status = .ok, contextLength: UInt32 = 0, tokens: [UInt32] = [], ends: [UInt32] = [],
        text: [UInt8] = []
    ) {
        self.number = number
        self.status = status
        self.contextLength = contextLength
        self.tokens = tokens
        self.ends = ends
        self.text = text
    }
}
