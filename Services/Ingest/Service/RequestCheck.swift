import Wire

/// Whether a request that came in binary form asks for something that makes sense. The HTTP door checks its own fields
/// by their names; these bounds are the same.
enum RequestCheck {
    /// Bytes of a stop string.
    static let stopBytes = 1024
    /// Messages of a chat, however they are written.
    static let messages = WireLimits.promptStrings / 2
    /// What is wrong with a request, its label and its key included.
    static func problem(_ submit: Submit) -> String? {
        guard isPrintable(submit.label) else { return "a label must be printable ASCII" }
        guard isPrintable(submit.idempotencyKey) else { return "an idempotency key must be printable ASCII" }
        return problem(submit.body)
    }

    /// What is wrong, in a sentence for the client; nil when nothing is.
    static func problem(_ body: RequestBody) -> String? {
        let sampling = body.sampling
        guard sampling.temperature.isFinite, (0...2).contains(sampling.temperature) else {
            return "temperature must be from 0 to 2"
        }
        guard sampling.topP.isFinite, sampling.topP > 0, sampling.topP <= 1 else {
            return "top_p must be above 0 and at most 1"
        }
        guard sampling.minP.isFinite, (0...1).contains(sampling.minP) else { return "min_p must be from 0 to 1" }
        guard sampling.repetitionPenalty.isFinite, sampling.repetitionPenalty > 0, sampling.repetitionPenalty <= 10
        else { return "repetition_penalty must be above 0 and at most 10" }
        guard sampling.presencePenalty.isFinite, (-2...2).contains(sampling.presencePenalty) else {
            return "presence_penalty must be from -2 to 2"
        }
        guard sampling.frequencyPenalty.isFinite, (-2...2).contains(sampling.frequencyPenalty) else {
            return "frequency_penalty must be from -2 to 2"
        }
        guard body.options.logitBias.allSatisfy({ $0.bias.isFinite && (-100...100).contains($0.bias) }) else {
            return "logit_bias must be from -100 to 100"
        }
        let limits = body.limits
        guard limits.maximumTokens <= UInt32(WireLimits.promptTokens) else {
            return "max_tokens must be at most \(WireLimits.promptTokens)"
        }
        guard limits.maximumTokens == 0 || limits.minimumTokens <= limits.maximumTokens else {
            return "min_tokens must not exceed max_tokens"
        }
        switch body.form {
        case .chat where body.strings.isEmpty || !body.strings.count.isMultiple(of: 2):
            return "a chat is pairs of role and content"
        case .text where body.strings.count != 1: return "a text prompt is one string"
        case .tokens where body.tokens.isEmpty: return "the prompt is empty"
        case .messages where body.strings.count != 1: return "messages are one JSON text"
        case .messages where body.strings.contains { objects(in: $0) > messages }:
            return "messages must hold at most \(messages) messages"
        default: break
        }
        return body.stops.allSatisfy { (1...stopBytes).contains($0.utf8.count) }
            ? nil : "each stop string must have 1 to \(stopBytes) bytes"
    }

    /// Objects that stand in no other one of a JSON text. Of a text that is no JSON the number means nothing; whoever
    /// reads it refuses it.
    static func objects(in json: String) -> Int {
        // `{},` is the shortest.
        guard json.utf8.count > 3 * messages else { return 0 }
        let bytes = json.utf8Span.span
        var count = 0
        var depth = 0
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""): index = endOfText(in: bytes, after: index)
            case UInt8(ascii: "{"):
                if depth == 0 { count += 1 }
                depth += 1
            case UInt8(ascii: "}"): depth = max(0, depth - 1)
            default: break
            }
            index += 1
        }
        return count
    }

    /// Where the text ends that begins with this quotation mark: most of a long prompt is in such texts.
    private static func endOfText(in bytes: Span<UInt8>, after start: Int) -> Int {
        var index = start + 1
        while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
            index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        return index
    }

    private static func isPrintable(_ text: String) -> Bool { text.utf8.allSatisfy { (0x20...0x7e).contains($0) } }
}
