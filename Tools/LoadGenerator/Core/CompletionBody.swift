import Formats

/// The body of an OpenAI request as JSON, written by hand: an encoder takes longer over a long list of token ids than
/// the request takes to be sent.
struct CompletionBody {
    private(set) var bytes: [UInt8] = []

    init(_ request: LoadRequest) {
        put("{\"model\":")
        put(string: request.model)
        put(",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"max_tokens\":\(request.maximumTokens)")
        // As many bits as every server's signed 64-bit seed has room for.
        put(",\"seed\":\(Int64(truncatingIfNeeded: request.seed >> 1))")
        if let temperature = request.temperature { put(",\"temperature\":\(temperature)") }
        if request.ignoresEndOfSequence { put(",\"ignore_eos\":true") }
        if request.wantsHops { put(",\"hops\":true") }
        switch request.prompt {
        case .chat(let text):
            put(",\"messages\":[{\"role\":\"user\",\"content\":")
            put(string: text)
            put("}]")
        case .text(let text):
            put(",\"prompt\":")
            put(string: text)
        case .tokens(let tokens):
            put(",\"prompt\":[")
            bytes.reserveCapacity(bytes.count + 7 * tokens.count)
            for (index, token) in tokens.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                put(number: token)
            }
            put("]")
        }
        put("}")
    }

    private mutating func put(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func put(number: UInt32) {
        var divisor: UInt32 = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }

    private mutating func put(string: String) { JSONText.append(string, to: &bytes) }
}
