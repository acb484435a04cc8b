/// Reads the bodies of `/v1/chat/completions` and `/v1/completions`.
///
/// Fields and defaults: OpenAI's API reference; those of vLLM, SGLang and llama-server beside it. What would change the
/// answer's meaning and is not done here is refused; what is unknown is ignored and named.
struct RequestReader: Sendable {
    /// What is asked.
    enum Form: Sendable {
        case chat
        case text
    }

    /// A body, read.
    struct Body: Equatable, Sendable {
        /// The first of what is asked. Id and tenant are still to be set.
        var request: DoorRequest
        /// Of all choices; the first one's is `request`'s.
        var prompts: [DoorRequest.Prompt]
        /// Answers to each prompt.
        var choices = 1
        /// The stream ends with a chunk of usage.
        var includesUsage = false
        /// Each chunk has the usage so far.
        var includesContinuousUsage = false
        /// Fields that nothing was done with.
        var ignored: [String] = []

        /// How many answers are asked for.
        var count: Int { prompts.count * choices }

        /// The request for one of the choices, which are all answers to the first prompt, then all to the second.
        func request(_ index: Int) -> DoorRequest {
            var request = request
            request.prompt = prompts[index / choices]
            // Answers to one prompt are to differ, and each can be had again.
            request.sampling.seed = request.sampling.seed.map { $0 &+ UInt64(index % choices) }
            return request
        }
    }

    /// Answers to one request, at most.
    static let maximumChoices = 128

    let form: Form
    /// More of `max_tokens` and `min_tokens` counts as so many.
    let maximumTokens: Int64
    /// Refuses a request with a field that is unknown.
    var isStrict = false

    /// What `read` returns or throws.
    func result(of bytes: [UInt8]) -> Result<Body, APIError> {
        do throws(APIError) { return .success(try read(bytes)) } catch { return .failure(error) }
    }

    func read(_ bytes: [UInt8]) throws(APIError) -> Body {
        var fields = try Self.fields(of: bytes)
        var ignored: [String] = []
        try refuseUnsupported(&fields, &ignored)
        guard let model = try fields.string("model"), !model.isEmpty else { throw fields.missing("model") }
        guard model.utf8.count <= 255 else { throw .invalid("model", "model must be at most 255 bytes.") }
        let prompts =
            switch form {
            case .chat: [try PromptReader.chat(&fields, ignored: &ignored)]
            case .text: try PromptReader.texts(&fields)
            }
        guard let first = prompts.first else { throw fields.missing("prompt") }
        let request = DoorRequest(id: DoorRequestID(high: 0, low: 0), tenant: "", model: model, prompt: first)
        var body = Body(request: request, prompts: prompts)
        body.request.stops = try PromptReader.stops(&fields)
        body.request.sampling = try sampling(&fields)
        try limits(&fields, &body.request)
        try options(&fields, &body.request)
        if form == .chat { try Self.template(&fields, &body.request) }
        body.request.streams = try fields.bool("stream") ?? false
        body.request.wantsHops = try fields.bool("hops") ?? false
        try streamOptions(&fields, &body, &ignored)
        body.choices = Int(try fields.integer("n", in: 1...16) ?? 1)
        let best = try fields.integer("best_of", in: 1...16) ?? Int64(body.choices)
        guard best == Int64(body.choices) else {
            throw .unsupported("best_of", "This server does not choose the best of several answers.")
        }
        guard body.count <= Self.maximumChoices else {
            throw .invalid("n", "A request may ask for at most \(Self.maximumChoices) answers.")
        }
        if try fields.bool("skip_special_tokens") == false { ignored.append("skip_special_tokens") }
        fields.ignoreRest(&ignored)
        if isStrict, let stranger = ignored.min() { throw Self.unknown(stranger) }
        body.ignored = ignored
        return body
    }

    /// The fields of a body.
    static func fields(of bytes: [UInt8]) throws(APIError) -> FieldReader {
        let value: JSONValue
        do {
            value = try JSONReader.read(bytes)
        } catch {
            throw .invalid(nil, "The body is not valid JSON: \(error).", code: "invalid_json")
        }
        guard case .object(let members) = value else {
            throw .invalid(nil, "The body must be a JSON object, not \(value.kind).", code: "invalid_type")
        }
        return FieldReader(members)
    }

    /// A field that is refused where unknown ones are.
    static func unknown(_ field: String) -> APIError {
        let shown = field.count > 100 ? field.prefix(100) + "…" : field[...]
        return APIError(
            status: 400, message: "Unknown parameter: \(shown).", parameter: String(shown), code: "unknown_parameter")
    }

    private func sampling(_ fields: inout FieldReader) throws(APIError) -> DoorSampling {
        var sampling = DoorSampling()
        sampling.seed = try fields.integer("seed", in: .min ... .max).map { UInt64(bitPattern: $0) }
        sampling.temperature = try fields.number("temperature", in: 0...2) ?? sampling.temperature
        // 0 leaves the likeliest token alone, as the smallest number does.
        sampling.topP = max(Self.leastTopP, try fields.number("top_p", in: 0...1) ?? sampling.topP)
        let topK = try fields.integer("top_k", in: -1...Int64(Int32.max)) ?? 0
        sampling.topK = UInt32(max(0, topK))
        sampling.minP = try fields.number("min_p", in: 0...1) ?? sampling.minP
        sampling.repetitionPenalty =
            try fields.number("repetition_penalty", in: 0...10, above: true) ?? sampling.repetitionPenalty
        sampling.presencePenalty = try fields.number("presence_penalty", in: -2...2) ?? sampling.presencePenalty
        sampling.frequencyPenalty = try fields.number("frequency_penalty", in: -2...2) ?? sampling.frequencyPenalty
        return sampling
    }

    private static let leastTopP: Float = 1e-9

    /// A bound of tokens: what is beyond the largest one counts as that.
    private func bound(_ field: String, _ fields: inout FieldReader) throws(APIError) -> Int64? {
        guard let value = fields.take(field) else { return nil }
        switch value {
        case .large(let text) where !text.hasPrefix("-"): return maximumTokens
        // Some clients write that there is no bound.
        case .integer(-1): return nil
        case .integer(let number):
            guard number >= 1 else { throw .invalid(field, "\(field) must be at least 1.") }
            return min(number, maximumTokens)
        case .number, .large: throw .invalid(field, "\(field) must be a whole number from 1.", code: "invalid_type")
        default: throw fields.wrongKind(field, value, "an integer")
        }
    }

    private func limits(_ fields: inout FieldReader, _ request: inout DoorRequest) throws(APIError) {
        let tokens = try bound("max_tokens", &fields)
        let completionTokens = form == .chat ? try bound("max_completion_tokens", &fields) : nil
        // OpenAI's default for /v1/completions is 16. Of two bounds the newer field's counts.
        let maximum = completionTokens ?? tokens ?? (form == .text ? 16 : nil)
        request.maximumTokens = maximum.map { UInt32(clamping: $0) }
        let minimum = try fields.integer("min_tokens", in: 0...maximumTokens) ?? 0
        if let maximum, minimum > maximum {
            throw .invalid("min_tokens", "min_tokens must not exceed max_tokens.")
        }
        request.minimumTokens = UInt32(clamping: minimum)
        request.ignoresEndOfSequence = try fields.bool("ignore_eos") ?? false
    }

    private func options(_ fields: inout FieldReader, _ request: inout DoorRequest) throws(APIError) {
        request.priority = Int32(
            clamping: try fields.integer("priority", in: Int64(Int32.min)...Int64(Int32.max)) ?? 0)
        request.stopTokens = try fields.tokens("stop_token_ids", count: 128)
        if let salt = try fields.string("cache_salt") {
            guard (1...255).contains(salt.utf8.count) else {
                throw .invalid("cache_salt", "cache_salt must have 1 to 255 bytes.")
            }
            request.cacheSalt = salt
        }
        guard let value = fields.take("logit_bias") else { return }
        guard case .object(let members) = value else { throw fields.wrongKind("logit_bias", value, "an object") }
        guard members.count <= Self.maximumBiases else {
            throw .invalid("logit_bias", "logit_bias must have at most \(Self.maximumBiases) tokens.")
        }
        for member in members {
            guard let token = UInt32(member.key) else {
                throw .invalid("logit_bias", "logit_bias must name tokens by their ids.")
            }
            let bias: Double
            switch member.value {
            case .integer(let number): bias = Double(number)
            case .number(let number): bias = number
            default: throw .invalid("logit_bias", "logit_bias must hold numbers.", code: "invalid_type")
            }
            guard (-100...100).contains(bias) else {
                throw .invalid("logit_bias", "logit_bias must hold numbers from -100 to 100.")
            }
            request.logitBias.append(TokenBias(token: token, bias: Float(bias)))
        }
    }

    private static let maximumBiases = 1024

    /// How the chat template is applied; the members of `chat_template_kwargs` are its variables.
    static func template(_ fields: inout FieldReader, _ request: inout DoorRequest) throws(APIError) {
        var arguments: [JSONValue.Member] = []
        if let value = fields.take("chat_template_kwargs") {
            guard case .object(let members) = value else {
                throw fields.wrongKind("chat_template_kwargs", value, "an object")
            }
            arguments = members
        }
        if let effort = try fields.string("reasoning_effort"),
            !arguments.contains(where: { $0.key == "reasoning_effort" })
        {
            arguments.append(.init(key: "reasoning_effort", value: .string(effort)))
        }
        if let documents = fields.take("documents") {
            guard case .array = documents else { throw fields.wrongKind("documents", documents, "an array") }
            if !arguments.contains(where: { $0.key == "documents" }) {
                arguments.append(.init(key: "documents", value: documents))
            }
        }
        if !arguments.isEmpty {
            request.templateArguments = JSONValue.object(arguments).text
            guard request.templateArguments.utf8.count <= 64 << 10 else {
                throw .invalid("chat_template_kwargs", "chat_template_kwargs must be at most 64 KiB.")
            }
        }
        request.continuesFinalMessage = try fields.bool("continue_final_message") ?? false
        let prompts = try fields.bool("add_generation_prompt")
        if request.continuesFinalMessage, prompts == true {
            throw .invalid(
                "continue_final_message", "continue_final_message and add_generation_prompt exclude each other.")
        }
        request.omitsGenerationPrompt = prompts == false
    }

    private func streamOptions(
        _ fields: inout FieldReader, _ body: inout Body, _ ignored: inout [String]
    ) throws(APIError) {
        guard var options = try fields.object("stream_options") else { return }
        body.includesUsage = try options.bool("include_usage") ?? false
        let isContinuous = try options.bool("continuous_usage_stats") ?? false
        body.includesContinuousUsage = body.includesUsage && isContinuous
        _ = try options.bool("include_obfuscation")
        options.ignoreRest(&ignored)
    }

    /// Known fields that ask for what is not done here, and known fields that change nothing.
    private func refuseUnsupported(_ fields: inout FieldReader, _ ignored: inout [String]) throws(APIError) {
        for field in FieldTable.idle { _ = fields.take(field) }
        for (field, harmless) in FieldTable.refused { try fields.refuse(field, unless: harmless.includes) }
        // More in the answer, the same answer.
        for field in ["return_token_ids", "vllm_xargs"] where fields.take(field) != nil { ignored.append(field) }
        switch form {
        case .chat:
            for (field, harmless) in FieldTable.refusedInChats { try fields.refuse(field, unless: harmless.includes) }
            // Tools that the model is told not to use change nothing.
            let choice = fields.take("tool_choice")
            if choice == .string("none") {
                _ = fields.take("tools")
            } else {
                try fields.refuse("tools", unless: FieldTable.Harmless.empty.includes)
                if let choice, choice != .string("auto") {
                    throw .unsupported("tool_choice", "This server does not support tool_choice with this value.")
                }
            }
            try fields.refuse("response_format") { $0 == .object([.init(key: "type", value: .string("text"))]) }
            try fields.refuse("modalities") { $0 == .array([.string("text")]) }
        case .text:
            for (field, harmless) in FieldTable.refusedInCompletions {
                try fields.refuse(field, unless: harmless.includes)
            }
            if try fields.bool("add_special_tokens") == false {
                throw .unsupported("add_special_tokens", "This server always adds the model's special tokens.")
            }
        }
    }
}
