public import Llama

/// What a client asks a model to go on from.
public enum Prompt: Equatable, Sendable {
    /// Messages, which the model's own template makes into one text.
    case chat([ChatMessage], ChatOptions = ChatOptions())
    /// The same, as a JSON array of message objects, which the template sees as they are.
    case messages(String, ChatOptions = ChatOptions())
    /// A text to be continued as it stands.
    case text(String)
    /// Token ids, taken as they are.
    case tokens([UInt32])

    /// Bytes of text, or of ids.
    public var byteCount: Int {
        switch self {
        case .chat(let messages, let options):
            messages.reduce(options.arguments.utf8.count) { $0 + $1.role.utf8.count + $1.content.utf8.count }
        case .messages(let json, let options): json.utf8.count + options.arguments.utf8.count
        case .text(let text): text.utf8.count
        case .tokens(let tokens): tokens.count * MemoryLayout<UInt32>.size
        }
    }

    /// How long it takes to encode, in bytes of text that take as long. A message takes a template some 40 µs however
    /// little stands in it, and a kilobyte of text takes 250.
    public var cost: Int {
        switch self {
        case .chat(let messages, _): byteCount + Self.messageCost * messages.count
        case .messages: 4 * byteCount
        case .text: byteCount
        case .tokens(let tokens): tokens.count / 64
        }
    }

    static let messageCost = 160
}

/// Why a prompt has no tokens.
public enum PromptError: Error, Equatable, Sendable {
    /// There is nothing in it.
    case empty
    /// An id that is not below the vocabulary's `count`.
    case tokenOutOfRange(UInt32, count: Int)
    /// The model has no chat template: it takes text prompts only.
    case noChatTemplate
    /// The model's template does not take such messages; the reason is the template's own.
    case refusedByTemplate(reason: String)
    /// The model's template failed while it ran.
    case templateFailed(reason: String)
    /// The tokenizer gave up on a text of `byteCount` bytes.
    case cannotTokenize(byteCount: Int)
    /// It has at least so many tokens, which is more than it may have.
    case tooManyTokens(atLeast: Int)

    /// Whether another request can do better; otherwise the model is at fault.
    public var isTheRequestsFault: Bool {
        if case .templateFailed = self { false } else { true }
    }
}

extension PromptError: CustomStringConvertible {
    /// A sentence for the client.
    public var description: String {
        switch self {
        case .empty: "The prompt is empty."
        case .tokenOutOfRange(let token, let count):
            "Token id \(token) is not in the model's vocabulary of \(count) tokens."
        case .noChatTemplate: "The model has no chat template; use /v1/completions."
        case .refusedByTemplate(let reason): "The model's chat template refuses these messages: \(reason)"
        case .templateFailed(let reason): "The model's chat template failed: \(reason)"
        case .cannotTokenize(let byteCount): "A text of \(byteCount) bytes could not be tokenized."
        case .tooManyTokens(let count): "The prompt has at least \(count) tokens, which is too many."
        }
    }
}

/// Makes tokens from prompts as the model's own tokenizer and chat template do.
///
/// What a client sent never becomes a control token: only the template's own text may contain those. Any number of
/// threads can use a value at once.
public struct PromptEncoder: Sendable {
    let vocabulary: Vocabulary
    private let template: ChatTemplate?
    private let cuts: TextCuts
    /// See ``TokenTable/longest``.
    let longestToken: Int

    /// - Throws: if the model's chat template cannot be compiled.
    public init(model: LlamaModel) throws(ChatTemplateError) {
        vocabulary = model.vocabulary
        if let source = model.chatTemplateSource {
            template = try ChatTemplate(source: source, vocabulary: model.vocabulary)
        } else {
            template = nil
        }
        // A vocabulary that cannot be read has no cuts either.
        cuts = (try? vocabulary.findCuts()) ?? .none
        longestToken = (try? TokenTable(vocabulary).longest) ?? 0
    }

    /// Encodes a prompt in one go.
    /// - Parameter now: the time, in seconds since 1970, for templates that show the date.
    public func encode(_ prompt: Prompt, now: Int64) throws(PromptError) -> [UInt32] {
        var steps = PromptSteps(prompt, encoder: self, cuts: .none, tokenLimit: .max, now: now)
        while true {
            if let result = steps.step() { return try result.get() }
        }
    }

    /// Encodes a prompt in steps; the tokens are the same.
    ///
    /// - Parameters:
    ///   - tokenLimit: a prompt of so many tokens or more is refused, as soon as that is certain.
    ///   - pieceBytes: how much text a step takes, where it can be cut.
    ///   - now: the time, in seconds since 1970, for templates that show the date.
    public func steps(
        _ prompt: Prompt, tokenLimit: Int = .max, pieceBytes: Int? = nil, now: Int64
    ) -> some PoolSteps<[UInt32], PromptError> {
        var cuts = cuts
        if let pieceBytes { cuts.pieceBytes = pieceBytes }
        return PromptSteps(prompt, encoder: self, cuts: cuts, tokenLimit: tokenLimit, now: now)
    }

    /// The text of a prompt, and what stands before its tokens.
    func segments(of prompt: Prompt, now: Int64) throws(PromptError) -> ([ChatSegment], before: [UInt32]) {
        switch prompt {
        case .chat(let messages, let options):
            guard !messages.isEmpty else { throw .empty }
            let segments = try render(isOwn: !options.arguments.isEmpty) { template throws(ChatTemplateError) in
                try template.render(messages, options: options, now: now)
            }
            return (segments, [])
        case .messages(let json, let options):
            let segments = try render(isOwn: true) { template throws(ChatTemplateError) in
                try template.render(json: json, options: options, now: now)
            }
            return (segments, [])
        case .text(let text):
            let begin = vocabulary.addsBeginOfSequence ? vocabulary.beginOfSequence : nil
            return ([ChatSegment(bytes: Array(text.utf8), origin: .message)], begin.map { [$0] } ?? [])
        case .tokens(let ids):
            for id in ids where id >= vocabulary.count {
                throw .tokenOutOfRange(id, count: vocabulary.count)
            }
            return ([], ids)
        }
    }

    /// - Parameter isOwn: the sender decides more than roles and contents: what fails then is the sender's mistake.
    private func render(
        isOwn: Bool, _ render: (ChatTemplate) throws(ChatTemplateError) -> [ChatSegment]
    ) throws(PromptError) -> [ChatSegment] {
        guard let template else { throw .noChatTemplate }
        do {
            return try render(template)
        } catch {
            switch error {
            case .refused(let reason): throw .refusedByTemplate(reason: reason)
            case .invalid(let reason): throw .templateFailed(reason: reason)
            case .failed(let reason):
                if isOwn { throw .refusedByTemplate(reason: reason) }
                throw .templateFailed(reason: reason)
            }
        }
    }
}
