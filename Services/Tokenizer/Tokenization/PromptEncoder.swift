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

    /// Roughly how long it takes to encode: bytes of text, or of ids.
    public var byteCount: Int {
        switch self {
        case .chat(let messages, let options):
            messages.reduce(options.arguments.utf8.count) { $0 + $1.role.utf8.count + $1.content.utf8.count }
        case .messages(let json, let options): json.utf8.count + options.arguments.utf8.count
        case .text(let text): text.utf8.count
        case .tokens(let tokens): tokens.count * MemoryLayout<UInt32>.size
        }
    }
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

    /// - Throws: if the model's chat template cannot be compiled.
    public init(model: LlamaModel) throws(ChatTemplateError) {
        vocabulary = model.vocabulary
        if let source = model.chatTemplateSource {
            template = try ChatTemplate(source: source, vocabulary: model.vocabulary)
        } else {
            template = nil
        }
    }

    /// - Parameter now: the time, in seconds since 1970, for templates that show the date.
    public func encode(_ prompt: Prompt, now: Int64) throws(PromptError) -> [UInt32] {
        var tokens: [UInt32] = []
        switch prompt {
        case .chat(let messages, let options):
            guard !messages.isEmpty else { throw .empty }
            let segments = try render(isOwn: !options.arguments.isEmpty) { template throws(ChatTemplateError) in
                try template.render(messages, options: options, now: now)
            }
            try encode(segments: segments, into: &tokens)
        case .messages(let json, let options):
            let segments = try render(isOwn: true) { template throws(ChatTemplateError) in
                try template.render(json: json, options: options, now: now)
            }
            try encode(segments: segments, into: &tokens)
        case .text(let text):
            if vocabulary.addsBeginOfSequence, let begin = vocabulary.beginOfSequence { tokens.append(begin) }
            try encode(segments: [ChatSegment(bytes: Array(text.utf8), origin: .message)], into: &tokens)
        case .tokens(let ids):
            for id in ids where id >= vocabulary.count {
                throw .tokenOutOfRange(id, count: vocabulary.count)
            }
            tokens = ids
        }
        guard !tokens.isEmpty else { throw .empty }
        return tokens
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

    private func encode(segments: [ChatSegment], into tokens: inout [UInt32]) throws(PromptError) {
        do {
            try vocabulary.encode(segments, into: &tokens)
        } catch {
            throw .cannotTokenize(byteCount: segments.reduce(0) { $0 + $1.bytes.count })
        }
    }
}
