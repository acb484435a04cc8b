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
        var text: [UInt8] = []
        var lengths: [tf_chat_message] = []
        lengths.reserveCapacity(messages.count)
        for message in messages {
            text += message.role.utf8
            text += message.content.utf8
            lengths.append(
                tf_chat_message(role_count: message.role.utf8.count, content_count: message.content.utf8.count))
        }

        var segments: [ChatSegment] = []
        var reason = ""
        let code = unsafe withUnsafeMutablePointer(to: &segments) { segments in
            unsafe withReason(&reason) { error, capacity in
                unsafe tf_chat_template_render(
                    pointer, text, lengths, lengths.count, addGenerationPrompt, now, appendSegment,
                    UnsafeMutableRawPointer(segments), error, capacity)
            }
        }
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
