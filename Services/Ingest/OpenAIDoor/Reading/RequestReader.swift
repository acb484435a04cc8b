/// Reads the bodies of `/v1/chat/completions` and `/v1/completions`.
///
/// Fields and defaults: OpenAI's API reference; `top_k`, `min_p`, `min_tokens`, `ignore_eos` and `repetition_penalty`
/// as in vLLM; `hops` is our own. What would change the answer's meaning and is not done here is refused.
struct RequestReader: Sendable {
    /// What is asked.
    enum Form: Sendable {
        case chat
        case text
    }

    /// A body, read.
    struct Body: Equatable, Sendable {
        /// Id and tenant are still to be set.
        var request: DoorRequest
        /// The stream ends with a chunk of usage.
        var includesUsage: Bool
    }

    let form: Form
    /// Bound of `max_tokens` and `min_tokens`.
    let maximumTokens: Int64

    /// What `read` returns or throws.
    func result(of bytes: [UInt8]) -> Result<Body, APIError> {
        do throws(APIError) { return .success(try read(bytes)) } catch { return .failure(error) }
    }

    func read(_ bytes: [UInt8]) throws(APIError) -> Body {
        let value: JSONValue
        do {
            value = try JSONReader.read(bytes)
        } catch {
            throw .invalid(nil, "The body is not valid JSON: \(error).", code: "invalid_json")
        }
        guard case .object(let members) = value else {
            throw .invalid(nil, "The body must be a JSON object, not \(value.kind).", code: "invalid_type")
        }
        var fields = FieldReader(members)
        try refuseUnsupported(&fields)
        guard let model = try fields.string("model"), !model.isEmpty else { throw fields.missing("model") }
        guard model.utf8.count <= 256 else { throw .invalid("model", "model must be at most 256 bytes.") }
        let prompt =
            switch form {
            case .chat: try PromptReader.chat(&fields)
            case .text: try PromptReader.text(&fields)
            }
        var request = DoorRequest(id: DoorRequestID(high: 0, low: 0), tenant: "", model: model, prompt: prompt)
        request.stops = try PromptReader.stops(&fields)
        request.sampling = try sampling(&fields)
        try limits(&fields, &request)
        request.streams = try fields.bool("stream") ?? false
        request.wantsHops = try fields.bool("hops") ?? false
        let includesUsage = try streamOptions(&fields, streams: request.streams)
        try fields.refuseRest()
        return Body(request: request, includesUsage: includesUsage)
    }

    private func sampling(_ fields: inout FieldReader) throws(APIError) -> DoorSampling {
        var sampling = DoorSampling()
        sampling.seed = try fields.integer("seed", in: .min ... .max).map { UInt64(bitPattern: $0) }
        sampling.temperature = try fields.number("temperature", in: 0...2) ?? sampling.temperature
        sampling.topP = try fields.number("top_p", in: 0...1, above: true) ?? sampling.topP
        let topK = try fields.integer("top_k", in: -1...Int64(Int32.max)) ?? 0
        sampling.topK = UInt32(max(0, topK))
        sampling.minP = try fields.number("min_p", in: 0...1) ?? sampling.minP
        sampling.repetitionPenalty =
            try fields.number("repetition_penalty", in: 0...10, above: true) ?? sampling.repetitionPenalty
        sampling.presencePenalty = try fields.number("presence_penalty", in: -2...2) ?? sampling.presencePenalty
        sampling.frequencyPenalty = try fields.number("frequency_penalty", in: -2...2) ?? sampling.frequencyPenalty
        return sampling
    }

    private func limits(_ fields: inout FieldReader, _ request: inout DoorRequest) throws(APIError) {
        let tokens = try fields.integer("max_tokens", in: 1...maximumTokens)
        let field = form == .chat ? "max_completion_tokens" : "max_tokens"
        let completionTokens =
            form == .chat ? try fields.integer("max_completion_tokens", in: 1...maximumTokens) : nil
        if let tokens, let completionTokens, tokens != completionTokens {
            throw .invalid(field, "max_tokens and max_completion_tokens differ.")
        }
        // OpenAI's default for /v1/completions is 16.
        let maximum = completionTokens ?? tokens ?? (form == .text ? 16 : nil)
        request.maximumTokens = maximum.map { UInt32(clamping: $0) }
        let minimum = try fields.integer("min_tokens", in: 0...maximumTokens) ?? 0
        if let maximum, minimum > maximum { throw .invalid("min_tokens", "min_tokens must not exceed \(field).") }
        request.minimumTokens = UInt32(clamping: minimum)
        request.ignoresEndOfSequence = try fields.bool("ignore_eos") ?? false
    }

    private func streamOptions(_ fields: inout FieldReader, streams: Bool) throws(APIError) -> Bool {
        guard var options = try fields.object("stream_options") else { return false }
        guard streams else {
            throw .invalid("stream_options", "stream_options is only allowed when stream is true.")
        }
        let includesUsage = try options.bool("include_usage") ?? false
        _ = try options.bool("include_obfuscation")
        try options.refuseRest()
        return includesUsage
    }

    /// Known fields that ask for what is not done here, and known fields that change nothing.
    private func refuseUnsupported(_ fields: inout FieldReader) throws(APIError) {
        func isEmpty(_ value: JSONValue) -> Bool {
            switch value {
            case .array(let elements): elements.isEmpty
            case .object(let members): members.isEmpty
            default: false
            }
        }
        try fields.refuse("n") { $0 == .integer(1) }
        try fields.refuse("logit_bias", unless: isEmpty)
        try fields.refuse("store") { $0 == .bool(false) }
        try fields.refuse("service_tier") { $0 == .string("auto") || $0 == .string("default") }
        for field in ["user", "safety_identifier", "prompt_cache_key"] { _ = try fields.string(field) }
        _ = try fields.object("metadata")
        switch form {
        case .chat:
            try fields.refuse("logprobs") { $0 == .bool(false) }
            try fields.refuse("top_logprobs") { $0 == .integer(0) }
            try fields.refuse("tools", unless: isEmpty)
            try fields.refuse("tool_choice") { $0 == .string("none") || $0 == .string("auto") }
            _ = try fields.bool("parallel_tool_calls")
            try fields.refuse("functions", unless: isEmpty)
            try fields.refuse("function_call") { $0 == .string("none") || $0 == .string("auto") }
            try fields.refuse("response_format") {
                $0 == .object([.init(key: "type", value: .string("text"))])
            }
            try fields.refuse("modalities") { $0 == .array([.string("text")]) }
            for field in ["audio", "prediction", "reasoning_effort", "verbosity", "web_search_options"] {
                try fields.refuse(field)
            }
        case .text:
            try fields.refuse("logprobs")
            try fields.refuse("echo") { $0 == .bool(false) }
            try fields.refuse("best_of") { $0 == .integer(1) }
            try fields.refuse("suffix") { $0 == .string("") }
        }
    }
}
