import NIOCore

/// Writes one request's answer as OpenAI's clients read it: as server-sent events, or as one object.
///
/// An answer has one choice or several, which come in any order; a choice's text comes in its own order.
/// By hand into the buffer that goes to the socket: what is the same in each event is made once.
struct AnswerWriter {
    /// What stands in every object of an answer.
    struct Identity: Equatable, Sendable {
        var id: DoorRequestID
        /// Seconds since 1970.
        var created: Int64
        var model: String
        var fingerprint: String
    }

    private let form: RequestReader.Form
    private let includesUsage: Bool
    private let includesContinuousUsage: Bool
    private let wantsHops: Bool
    /// From the opening brace to the comma before `choices`.
    private let head: ByteBuffer
    private var choices: [Choice]

    private struct Choice {
        var escaper = JSONEscaper()
        var isFirst = true
    }

    init(
        form: RequestReader.Form, identity: Identity, streams: Bool, includesUsage: Bool = false,
        includesContinuousUsage: Bool = false, wantsHops: Bool = false, choices: Int = 1
    ) {
        self.form = form
        self.includesUsage = includesUsage
        self.includesContinuousUsage = includesContinuousUsage
        self.choices = Array(repeating: Choice(), count: choices)
        self.wantsHops = wantsHops
        var head = ByteBuffer()
        // Enough for most names of models: it does not grow.
        head.reserveCapacity(256)
        head.writeStaticString(form == .chat ? "{\"id\":\"chatcmpl-" : "{\"id\":\"cmpl-")
        head.writeHexadecimal(identity.id)
        head.writeStaticString("\",\"object\":\"")
        switch form {
        case .chat: head.writeStaticString(streams ? "chat.completion.chunk" : "chat.completion")
        case .text: head.writeStaticString("text_completion")
        }
        head.writeStaticString("\",\"created\":")
        head.writeDecimal(identity.created)
        head.writeStaticString(",\"model\":")
        head.writeJSONString(identity.model)
        head.writeStaticString(",\"system_fingerprint\":")
        head.writeJSONString(identity.fingerprint)
        head.writeStaticString(",")
        self.head = head
    }

    /// Whether half a character waits for a choice's next text.
    func hasRest(of choice: Int) -> Bool { choices[choice].escaper.hasRest }

    // MARK: Events

    /// One event with all text that has come; the first one of a chat's choice names the role.
    ///
    /// - Parameter usage: Of this choice, up to this text; told if it was asked for in every event.
    mutating func writeText(
        _ text: [UInt8], isLast: Bool, choice: Int = 0, usage: DoorUsage? = nil, to buffer: inout ByteBuffer
    ) {
        buffer.writeStaticString("data: ")
        buffer.writeImmutableBuffer(head)
        writeIndex(choice, to: &buffer)
        switch form {
        case .chat:
            buffer.writeStaticString(",\"delta\":{")
            if choices[choice].isFirst { buffer.writeStaticString("\"role\":\"assistant\",") }
            buffer.writeStaticString("\"content\":\"")
            choices[choice].escaper.append(text, isLast: isLast, to: &buffer)
            buffer.writeStaticString("\"},\"logprobs\":null,\"finish_reason\":null}]")
        case .text:
            buffer.writeStaticString(",\"text\":\"")
            choices[choice].escaper.append(text, isLast: isLast, to: &buffer)
            buffer.writeStaticString("\",\"logprobs\":null,\"finish_reason\":null}]")
        }
        choices[choice].isFirst = false
        endChunk(usage, &buffer)
    }

    /// The event that says why a choice ended. With the last one's, the event of usage if it was asked for, and the end
    /// of the stream.
    ///
    /// - Parameter total: The usage of all choices; nil if others are still to end.
    mutating func writeFinish(
        _ finish: DoorFinish, choice: Int = 0, total: DoorUsage?, to buffer: inout ByteBuffer
    ) {
        buffer.writeStaticString("data: ")
        buffer.writeImmutableBuffer(head)
        writeIndex(choice, to: &buffer)
        switch form {
        case .chat where choices[choice].isFirst:
            buffer.writeStaticString(",\"delta\":{\"role\":\"assistant\",\"content\":\"\"}")
        case .chat: buffer.writeStaticString(",\"delta\":{}")
        case .text: buffer.writeStaticString(",\"text\":\"\"")
        }
        Self.write(finish.reason, to: &buffer)
        buffer.writeStaticString("]")
        if wantsHops {
            buffer.writeStaticString(",")
            Self.write(finish.hops, to: &buffer)
        }
        endChunk(finish.usage, &buffer)
        guard let total else { return }
        if includesUsage {
            buffer.writeStaticString("data: ")
            buffer.writeImmutableBuffer(head)
            buffer.writeStaticString("\"choices\":[],")
            Self.write(total, to: &buffer)
            buffer.writeStaticString("}\n\n")
        }
        buffer.writeStaticString("data: [DONE]\n\n")
    }

    /// The event of an error after the answer has begun, and the end of the stream.
    func writeFailure(_ failure: DoorFailure, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("data: ")
        APIError(failure).write(to: &buffer)
        buffer.writeStaticString("\n\ndata: [DONE]\n\n")
    }

    /// What lets a client, and whoever stands between, know that the answer is in the works.
    static func writeComment(to buffer: inout ByteBuffer) {
        buffer.writeStaticString(": in the works\n\n")
    }

    private func writeIndex(_ choice: Int, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("\"choices\":[{\"index\":")
        buffer.writeDecimal(choice)
    }

    private func endChunk(_ usage: DoorUsage?, _ buffer: inout ByteBuffer) {
        if includesContinuousUsage, let usage {
            buffer.writeStaticString(",")
            Self.write(usage, to: &buffer)
            buffer.writeStaticString("}\n\n")
        } else {
            buffer.writeStaticString(includesUsage ? ",\"usage\":null}\n\n" : "}\n\n")
        }
    }

    // MARK: One object

    /// The whole answer.
    mutating func writeAnswer(
        _ answers: [(text: [UInt8], finish: DoorFinish)], usage: DoorUsage, to buffer: inout ByteBuffer
    ) {
        buffer.writeImmutableBuffer(head)
        buffer.writeStaticString("\"choices\":[")
        for (index, answer) in answers.enumerated() {
            buffer.writeStaticString(index == 0 ? "{\"index\":" : ",{\"index\":")
            buffer.writeDecimal(index)
            switch form {
            case .chat:
                buffer.writeStaticString(",\"message\":{\"role\":\"assistant\",\"content\":\"")
                choices[index].escaper.append(answer.text, isLast: true, to: &buffer)
                buffer.writeStaticString("\",\"refusal\":null}")
            case .text:
                buffer.writeStaticString(",\"text\":\"")
                choices[index].escaper.append(answer.text, isLast: true, to: &buffer)
                buffer.writeStaticString("\"")
            }
            Self.write(answer.finish.reason, to: &buffer)
        }
        buffer.writeStaticString("],")
        Self.write(usage, to: &buffer)
        if wantsHops {
            buffer.writeStaticString(",")
            Self.write(answers.flatMap(\.finish.hops), to: &buffer)
        }
        buffer.writeStaticString("}")
    }

    private static func write(_ reason: DoorFinish.Reason, to buffer: inout ByteBuffer) {
        switch reason {
        case .stop: buffer.writeStaticString(",\"logprobs\":null,\"finish_reason\":\"stop\"}")
        case .length: buffer.writeStaticString(",\"logprobs\":null,\"finish_reason\":\"length\"}")
        }
    }

    private static func write(_ usage: DoorUsage, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("\"usage\":{\"prompt_tokens\":")
        buffer.writeDecimal(usage.promptTokens)
        buffer.writeStaticString(",\"completion_tokens\":")
        buffer.writeDecimal(usage.completionTokens)
        buffer.writeStaticString(",\"total_tokens\":")
        buffer.writeDecimal(usage.promptTokens + usage.completionTokens)
        buffer.writeStaticString(",\"prompt_tokens_details\":{\"cached_tokens\":")
        buffer.writeDecimal(usage.cachedTokens)
        buffer.writeStaticString("}}")
    }

    private static func write(_ hops: [DoorHop], to buffer: inout ByteBuffer) {
        buffer.writeStaticString("\"hops\":[")
        for (index, hop) in hops.enumerated() {
            buffer.writeStaticString(index == 0 ? "{\"station\":" : ",{\"station\":")
            buffer.writeJSONString(hop.station)
            buffer.writeStaticString(",\"phase\":")
            buffer.writeJSONString(hop.phase)
            buffer.writeString(
                ",\"received_ns\":\(hop.receivedAt),\"begun_ns\":\(hop.begunAt),\"sent_ns\":\(hop.sentAt),"
                    + "\"uncertainty_us\":\(hop.uncertainty)}")
        }
        buffer.writeStaticString("]")
    }
}

extension APIError {
    /// `{"error":{…}}`.
    func write(to buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"error\":{\"message\":")
        buffer.writeJSONString(message)
        buffer.writeStaticString(",\"type\":")
        buffer.writeJSONString(type)
        buffer.writeStaticString(",\"param\":")
        buffer.writeJSONString(parameter)
        buffer.writeStaticString(",\"code\":")
        buffer.writeJSONString(code)
        buffer.writeStaticString("}}")
    }
}
