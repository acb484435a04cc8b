import NIOCore

/// Writes one request's answer as OpenAI's clients read it: as server-sent events, or as one object.
///
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
    private let wantsHops: Bool
    /// From the opening brace to the comma before `choices`.
    private let head: ByteBuffer
    private var escaper = JSONEscaper()
    private var isFirst = true

    init(
        form: RequestReader.Form, identity: Identity, streams: Bool, includesUsage: Bool = false,
        wantsHops: Bool = false
    ) {
        self.form = form
        self.includesUsage = includesUsage
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

    /// Whether half a character waits for the next text.
    var hasRest: Bool { escaper.hasRest }

    // MARK: Events

    /// One event with all text that has come; the first one of a chat names the role.
    mutating func writeText(_ text: [UInt8], isLast: Bool, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("data: ")
        buffer.writeImmutableBuffer(head)
        switch form {
        case .chat:
            buffer.writeStaticString("\"choices\":[{\"index\":0,\"delta\":{")
            if isFirst { buffer.writeStaticString("\"role\":\"assistant\",") }
            buffer.writeStaticString("\"content\":\"")
            escaper.append(text, isLast: isLast, to: &buffer)
            buffer.writeStaticString("\"},\"logprobs\":null,\"finish_reason\":null}]")
        case .text:
            buffer.writeStaticString("\"choices\":[{\"index\":0,\"text\":\"")
            escaper.append(text, isLast: isLast, to: &buffer)
            buffer.writeStaticString("\",\"logprobs\":null,\"finish_reason\":null}]")
        }
        isFirst = false
        endChunk(&buffer)
    }

    /// The event that says why generation ended, the event of usage if it was asked for, and the end of the stream.
    mutating func writeFinish(_ finish: DoorFinish, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("data: ")
        buffer.writeImmutableBuffer(head)
        switch form {
        case .chat where isFirst:
            buffer.writeStaticString("\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}")
        case .chat: buffer.writeStaticString("\"choices\":[{\"index\":0,\"delta\":{}")
        case .text: buffer.writeStaticString("\"choices\":[{\"index\":0,\"text\":\"\"")
        }
        Self.write(finish.reason, to: &buffer)
        if wantsHops {
            buffer.writeStaticString(",")
            Self.write(finish.hops, to: &buffer)
        }
        endChunk(&buffer)
        if includesUsage {
            buffer.writeStaticString("data: ")
            buffer.writeImmutableBuffer(head)
            buffer.writeStaticString("\"choices\":[],")
            Self.write(finish.usage, to: &buffer)
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

    private func endChunk(_ buffer: inout ByteBuffer) {
        buffer.writeStaticString(includesUsage ? ",\"usage\":null}\n\n" : "}\n\n")
    }

    // MARK: One object

    /// The whole answer.
    mutating func writeAnswer(_ text: [UInt8], _ finish: DoorFinish, to buffer: inout ByteBuffer) {
        buffer.writeImmutableBuffer(head)
        switch form {
        case .chat:
            buffer.writeStaticString("\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"")
            escaper.append(text, isLast: true, to: &buffer)
            buffer.writeStaticString("\",\"refusal\":null}")
        case .text:
            buffer.writeStaticString("\"choices\":[{\"index\":0,\"text\":\"")
            escaper.append(text, isLast: true, to: &buffer)
            buffer.writeStaticString("\"")
        }
        Self.write(finish.reason, to: &buffer)
        buffer.writeStaticString(",")
        Self.write(finish.usage, to: &buffer)
        if wantsHops {
            buffer.writeStaticString(",")
            Self.write(finish.hops, to: &buffer)
        }
        buffer.writeStaticString("}")
    }

    private static func write(_ reason: DoorFinish.Reason, to buffer: inout ByteBuffer) {
        switch reason {
        case .stop: buffer.writeStaticString(",\"logprobs\":null,\"finish_reason\":\"stop\"}]")
        case .length: buffer.writeStaticString(",\"logprobs\":null,\"finish_reason\":\"length\"}]")
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
