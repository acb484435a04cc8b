import CLlama

/// One message of a chat.
public struct ChatMessage: Equatable, Sendable {
    /// Usually `system`, `user` or `assistant`; the template decides which it takes.
    public var role: String
    public var content: String

    public init(role: String, content: String) {
        self.role = role
        self.content = content
    }
}

/// How a chat is rendered.
public struct ChatOptions: Equatable, Sendable {
    /// A JSON object whose members the template sees as variables; empty for none.
    public var arguments: String
    /// The text ends with the content of the last message, which stays open; there is no generation prompt then.
    public var continuesFinalMessage: Bool
    /// Whether to end with the beginning of the assistant's answer.
    public var addsGenerationPrompt: Bool

    public init(arguments: String = "", continuesFinalMessage: Bool = false, addsGenerationPrompt: Bool = true) {
        self.arguments = arguments
        self.continuesFinalMessage = continuesFinalMessage
        self.addsGenerationPrompt = addsGenerationPrompt
    }
}

/// A piece of a rendered chat.
public struct ChatSegment: Equatable, Sendable {
    /// Who wrote it.
    public enum Origin: Sendable {
        /// The model's makers: it may contain control tokens.
        case template
        /// Whoever sent the messages: characters, and nothing else.
        case message
    }

    /// UTF-8.
    public var bytes: [UInt8]
    public var origin: Origin

    public init(bytes: [UInt8], origin: Origin) {
        self.bytes = bytes
        self.origin = origin
    }
}

/// A model's own chat template, run by llama.cpp's Jinja engine.
// The compiled template is only read once it is made, and each rendering has a context of its own; the shim guards the
// one thing that rendering shares, the C library's clock.
@safe
public final class ChatTemplate: @unchecked Sendable {
    private let pointer: OpaquePointer

    /// Compiles `source`, which finds the vocabulary's `bos_token` and `eos_token`.
    public init(source: String, vocabulary: Vocabulary) throws(ChatTemplateError) {
        let source = Array(source.utf8)
        let bos = vocabulary.text(of: vocabulary.beginOfSequence)
        let eos = vocabulary.text(of: vocabulary.endOfSequence)
        var reason = ""
        let compiled = unsafe withReason(&reason) { error, capacity in
            unsafe tf_chat_template_compile(
                source, source.count, bos, bos.count, eos, eos.count, error, capacity)
        }
        guard let compiled = unsafe compiled else { throw .invalid(reason: reason) }
        unsafe pointer = unsafe compiled
        for token in vocabulary.markup.controlTexts { unsafe tf_chat_template_guard(pointer, token, token.count) }
    }

    deinit {
        unsafe tf_chat_template_free(pointer)
    }

    /// Renders a chat.
    ///
    /// - Parameters:
    ///   - addGenerationPrompt: whether to end with the beginning of the assistant's answer.
    ///   - now: the time, in seconds since 1970, for templates that show the date.
    public func render(
        _ messages: [ChatMessage], addGenerationPrompt: Bool = true, now: Int64
    ) throws(ChatTemplateError) -> [ChatSegment] {
        let (text, lengths) = Self.flat(messages)
        var segments: [ChatSegment] = []
        var reason = ""
        let code = unsafe withUnsafeMutablePointer(to: &segments) { segments in
            unsafe withReason(&reason) { error, capacity in
                unsafe tf_chat_template_render(
                    pointer, text, lengths, lengths.count, addGenerationPrompt, now, appendSegment,
                    UnsafeMutableRawPointer(segments), error, capacity)
            }
        }
        return try Self.outcome(code, segments, reason)
    }

    /// Renders a chat as its sender asks.
    ///
    /// - Parameter now: the time, in seconds since 1970, for templates that show the date.
    public func render(
        _ messages: [ChatMessage], options: ChatOptions, now: Int64
    ) throws(ChatTemplateError) -> [ChatSegment] {
        if options == ChatOptions() { return try render(messages, now: now) }
        let (text, lengths) = Self.flat(messages)
        return try render(text, lengths, options, now: now)
    }

    /// Renders message objects as they are; nothing of them becomes a control token.
    ///
    /// - Parameter json: an array of objects with a role; content is a text, a list of parts of type text, or null.
    public func render(
        json: String, options: ChatOptions = ChatOptions(), now: Int64
    ) throws(ChatTemplateError) -> [ChatSegment] {
        try render(Array(json.utf8), nil, options, now: now)
    }

    /// - Parameter lengths: nil: `text` is JSON.
    private func render(
        _ text: [UInt8], _ lengths: [tf_chat_message]?, _ options: ChatOptions, now: Int64
    ) throws(ChatTemplateError) -> [ChatSegment] {
        let arguments = Array(options.arguments.utf8)
        var segments: [ChatSegment] = []
        var reason = ""
        let code = unsafe withUnsafeMutablePointer(to: &segments) { segments in
            unsafe withReason(&reason) { error, capacity in
                unsafe text.withUnsafeBufferPointer { text in
                    unsafe arguments.withUnsafeBufferPointer { arguments in
                        unsafe (lengths ?? []).withUnsafeBufferPointer { messages in
                            var request = unsafe tf_chat_request(
                                text: text.baseAddress, text_count: text.count,
                                messages: lengths == nil ? nil : messages.baseAddress, message_count: messages.count,
                                arguments: arguments.baseAddress, arguments_count: arguments.count,
                                add_generation_prompt: options.addsGenerationPrompt && !options.continuesFinalMessage,
                                continues_final_message: options.continuesFinalMessage, now: now)
                            return unsafe tf_chat_template_render_request(
                                pointer, &request, appendSegment, UnsafeMutableRawPointer(segments), error, capacity)
                        }
                    }
                }
            }
        }
        return try Self.outcome(code, segments, reason)
    }

    private static func flat(_ messages: [ChatMessage]) -> (text: [UInt8], lengths: [tf_chat_message]) {
        var text: [UInt8] = []
        var lengths: [tf_chat_message] = []
        lengths.reserveCapacity(messages.count)
        for message in messages {
            text += message.role.utf8
            text += message.content.utf8
            lengths.append(
                tf_chat_message(role_count: message.role.utf8.count, content_count: message.content.utf8.count))
        }
        return (text, lengths)
    }

    private static func outcome(
        _ code: Int32, _ segments: [ChatSegment], _ reason: String
    ) throws(ChatTemplateError) -> [ChatSegment] {
        switch Int(code) {
        case TF_CHAT_OK: return segments
        case TF_CHAT_REFUSED: throw .refused(reason: reason)
        default: throw .failed(reason: reason)
        }
    }
}

private func appendSegment(
    _ context: UnsafeMutableRawPointer?, _ bytes: UnsafePointer<UInt8>?, _ count: Int, _ isInput: Bool
) {
    guard let segments = unsafe context?.assumingMemoryBound(to: [ChatSegment].self) else { return }
    let bytes = unsafe Array(UnsafeBufferPointer(start: bytes, count: count))
    unsafe segments.pointee.append(ChatSegment(bytes: bytes, origin: isInput ? .message : .template))
}

/// Gives `body` a buffer for an error text, and puts what it wrote there into `reason`.
@unsafe
private func withReason<R>(_ reason: inout String, _ body: (UnsafeMutablePointer<CChar>, Int) -> R) -> R {
    var text = [CChar](repeating: 0, count: 2048)
    let result = unsafe text.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { preconditionFailure("an array of 2048 has an address") }
        return unsafe body(base, buffer.count)
    }
    reason = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    return result
}
