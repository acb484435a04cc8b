import Testing

@testable import OpenAIDoor

@Suite struct RequestReaderTests {
    func chat(_ text: String) throws(APIError) -> RequestReader.Body {
        try RequestReader(form: .chat, maximumTokens: 4096).read(Array(text.utf8))
    }

    func text(_ text: String) throws(APIError) -> RequestReader.Body {
        try RequestReader(form: .text, maximumTokens: 4096).read(Array(text.utf8))
    }

    /// A chat body with more fields.
    func chatWith(_ fields: String) throws(APIError) -> RequestReader.Body {
        try chat(#"{"model":"m","messages":[{"role":"user","content":"hi"}],\#(fields)}"#)
    }

    func textWith(_ fields: String) throws(APIError) -> RequestReader.Body {
        try text(#"{"model":"m","prompt":"hi",\#(fields)}"#)
    }

    @Test func aMinimalChatHasDefaults() throws {
        let body = try chat(#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#)
        let request = body.request
        #expect(request.model == "m")
        #expect(request.prompt == .chat([.init(role: "user", content: "hi")]))
        #expect(request.sampling == DoorSampling())
        #expect(request.sampling.seed == nil)
        #expect(request.maximumTokens == nil)
        #expect(request.minimumTokens == 0)
        #expect(request.stops.isEmpty)
        #expect(!request.streams && !request.wantsHops && !request.ignoresEndOfSequence && !body.includesUsage)
    }

    @Test func everySupportedFieldIsRead() throws {
        let body = try chatWith(
            #"""
            "stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false},"max_tokens":7,
            "max_completion_tokens":7,"min_tokens":3,"ignore_eos":true,"stop":["a","é"],"temperature":0.5,"top_p":0.9,
            "top_k":40,"min_p":0.1,"seed":-1,"repetition_penalty":1.1,"presence_penalty":-2,"frequency_penalty":2,
            "n":1,"hops":true,"user":"u","metadata":{"a":"b"},"store":true,"logprobs":false,"top_logprobs":0,
            "tools":[],"tool_choice":"none","response_format":{"type":"text"},"logit_bias":{},"service_tier":"auto",
            "parallel_tool_calls":true,"modalities":["text"],"reasoning_effort":null,"safety_identifier":"s"
            """#)
        let request = body.request
        #expect(body.includesUsage && request.streams && request.wantsHops && request.ignoresEndOfSequence)
        #expect(request.maximumTokens == 7)
        #expect(request.minimumTokens == 3)
        #expect(request.stops == ["a", "é"])
        #expect(request.sampling.temperature == 0.5)
        #expect(request.sampling.topP == 0.9)
        #expect(request.sampling.topK == 40)
        #expect(request.sampling.minP == 0.1)
        #expect(request.sampling.seed == UInt64.max)
        #expect(request.sampling.repetitionPenalty == 1.1)
        #expect(request.sampling.presencePenalty == -2)
        #expect(request.sampling.frequencyPenalty == 2)
    }

    @Test func rolesAndContentParts() throws {
        let body = try chat(
            #"""
            {"model":"m","messages":[{"role":"developer","content":"be kind"},{"role":"system","content":""},
            {"role":"assistant","content":"x","refusal":null,"tool_calls":[],"annotations":[]},
            {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}
            """#)
        #expect(
            body.request.prompt
                == .chat([
                    .init(role: "system", content: "be kind"), .init(role: "system", content: ""),
                    .init(role: "assistant", content: "x"), .init(role: "user", content: "a\nb"),
                ]))
    }

    @Test func promptsOfEveryForm() throws {
        #expect(try text(#"{"model":"m","prompt":"hi"}"#).request.prompt == .text("hi"))
        #expect(try text(#"{"model":"m","prompt":["hi"]}"#).request.prompt == .text("hi"))
        #expect(try text(#"{"model":"m","prompt":[1,2,4294967295]}"#).request.prompt == .tokens([1, 2, .max]))
        #expect(try text(#"{"model":"m","prompt":[[1,2]]}"#).request.prompt == .tokens([1, 2]))
        #expect(try text(#"{"model":"m","prompt":"hi"}"#).request.maximumTokens == 16)
        #expect(try text(#"{"model":"m","prompt":"hi","max_tokens":null}"#).request.maximumTokens == 16)
        #expect(throws: Never.self) { try textWith(#""echo":false,"best_of":1,"suffix":null,"logprobs":null"#) }
    }

    @Test func stopsAndBounds() throws {
        #expect(try chatWith(#""stop":"x""#).request.stops == ["x"])
        #expect(try chatWith(#""stop":null"#).request.stops == [])
        let sixteen = (0..<16).map { "\"\($0)\"" }.joined(separator: ",")
        #expect(try chatWith(#""stop":[\#(sixteen)]"#).request.stops.count == 16)
        #expect(try chatWith(#""temperature":0,"top_k":-1,"top_p":1"#).request.sampling.topK == 0)
        #expect(try chatWith(#""max_tokens":4096"#).request.maximumTokens == 4096)
        #expect(try chatWith(#""max_tokens":8.0"#).request.maximumTokens == 8)
    }

    @Test(arguments: [
        (#""logprobs":true"#, "logprobs"), (#""top_logprobs":3"#, "top_logprobs"),
        (#""tools":[{"type":"function"}]"#, "tools"), (#""tool_choice":"required""#, "tool_choice"),
        (#""response_format":{"type":"json_object"}"#, "response_format"),
        (#""modalities":["text","audio"]"#, "modalities"), (#""audio":{"voice":"x"}"#, "audio"),
        (#""functions":[{}]"#, "functions"), (#""web_search_options":{}"#, "web_search_options"),
        (#""guided_json":{"type":"object"}"#, "guided_json"), (#""regex":"a+""#, "regex"),
        (#""include_stop_str_in_output":true"#, "include_stop_str_in_output"), (#""mirostat":2"#, "mirostat"),
        (#""best_of":2"#, "best_of"), (#""use_beam_search":true"#, "use_beam_search"),
    ])
    func whatChangesTheMeaningIsRefused(_ fields: String, _ parameter: String) {
        do throws(APIError) {
            _ = try chatWith(fields)
            Issue.record("\(fields) was taken")
        } catch {
            #expect(error.status == 400)
            #expect(error.code == "unsupported_parameter")
            #expect(error.parameter == parameter)
        }
    }

    @Test(arguments: [
        (#""echo":true"#, "echo"), (#""suffix":"x""#, "suffix"), (#""logprobs":0"#, "logprobs"),
    ])
    func whatChangesTheMeaningOfACompletionIsRefused(_ fields: String, _ parameter: String) {
        #expect(throws: APIError.unsupported(parameter, "This server does not support \(parameter) with this value.")) {
            try textWith(fields)
        }
    }

    @Test(arguments: [
        (#""temperature":2.1"#, "temperature", "invalid_value"), (#""temperature":-1"#, "temperature", "invalid_value"),
        (#""temperature":"1""#, "temperature", "invalid_type"), (#""top_p":1.01"#, "top_p", "invalid_value"),
        (#""top_k":-2"#, "top_k", "invalid_value"), (#""top_k":1.5"#, "top_k", "invalid_type"),
        (#""top_k":99999999999"#, "top_k", "invalid_value"), (#""min_p":2"#, "min_p", "invalid_value"),
        (#""repetition_penalty":0"#, "repetition_penalty", "invalid_value"),
        (#""presence_penalty":3"#, "presence_penalty", "invalid_value"),
        (#""frequency_penalty":-3"#, "frequency_penalty", "invalid_value"),
        (#""max_tokens":0"#, "max_tokens", "invalid_value"), (#""max_tokens":1e300"#, "max_tokens", "invalid_type"),
        (#""max_tokens":true"#, "max_tokens", "invalid_type"),
        (#""max_tokens":5,"min_tokens":6"#, "min_tokens", "invalid_value"),
        (#""min_tokens":-1"#, "min_tokens", "invalid_value"), (#""seed":1.5"#, "seed", "invalid_type"),
        (#""seed":18446744073709551615"#, "seed", "invalid_value"),
        (#""stop_token_ids":[-1]"#, "stop_token_ids", "invalid_value"),
        (#""logit_bias":{"x":1}"#, "logit_bias", "invalid_value"),
        (#""logit_bias":{"1":-100.5}"#, "logit_bias", "invalid_value"),
        (#""logit_bias":{"1":101}"#, "logit_bias", "invalid_value"),
        (#""logit_bias":{"1":"x"}"#, "logit_bias", "invalid_type"),
        (#""chat_template_kwargs":[]"#, "chat_template_kwargs", "invalid_type"),
        (#""cache_salt":"""#, "cache_salt", "invalid_value"), (#""stream":1"#, "stream", "invalid_type"),
        (#""ignore_eos":"yes""#, "ignore_eos", "invalid_type"), (#""stop":"""#, "stop", "invalid_value"),
        (#""stop":[""]"#, "stop", "invalid_value"), (#""stop":[1]"#, "stop", "invalid_type"),
        (#""stop":{}"#, "stop", "invalid_type"), (#""n":17"#, "n", "invalid_value"),
        (#""stream":true,"stream_options":{"include_usage":1}"#, "stream_options.include_usage", "invalid_type"),
        (#""hops":1"#, "hops", "invalid_type"),
    ])
    func badValuesAreRefusedByName(_ fields: String, _ parameter: String, _ code: String) {
        do throws(APIError) {
            _ = try chatWith(fields)
            Issue.record("\(fields) was taken")
        } catch {
            #expect(error.status == 400)
            #expect(error.parameter == parameter)
            #expect(error.code == code)
            #expect(error.message.contains(parameter))
        }
    }

    @Test(arguments: [
        (#"{"messages":[{"role":"user","content":"x"}]}"#, "model"), (#"{"model":""}"#, "model"),
        (#"{"model":5}"#, "model"), (#"{"model":"m"}"#, "messages"), (#"{"model":"m","messages":[]}"#, "messages"),
        (#"{"model":"m","messages":"hi"}"#, "messages"), (#"{"model":"m","messages":["hi"]}"#, "messages[0]"),
        (#"{"model":"m","messages":[{}]}"#, "messages[0].role"),
        (#"{"model":"m","messages":[{"role":"king","content":"x"}]}"#, "messages[0].role"),
        (#"{"model":"m","messages":[{"role":"tool","content":"x"}]}"#, "messages[0].role"),
        (#"{"model":"m","messages":[{"role":"user"}]}"#, "messages[0].content"),
        (#"{"model":"m","messages":[{"role":"user","content":null}]}"#, "messages[0].content"),
        (#"{"model":"m","messages":[{"role":"user","content":5}]}"#, "messages[0].content"),
        (#"{"model":"m","messages":[{"role":"user","content":[]}]}"#, "messages[0].content"),
        (#"{"model":"m","messages":[{"role":"user","content":["x"]}]}"#, "messages[0].content[0]"),
        (
            #"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url"}]}]}"#,
            "messages[0].content[0].type"
        ),
        (#"{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}"#, "messages[0].content[0].text"),
        (#"{"model":"m","messages":[{"role":"user","content":"x","name":5}]}"#, "messages[0].name"),
        (
            #"{"model":"m","messages":[{"role":"assistant","content":"x","tool_calls":[{}]}]}"#,
            "messages[0].tool_calls"
        ),
    ])
    func badChatsAreRefused(_ body: String, _ parameter: String) {
        do throws(APIError) {
            _ = try chat(body)
            Issue.record("\(body) was taken")
        } catch {
            #expect(error.status == 400)
            #expect(error.parameter == parameter)
        }
    }

    @Test(arguments: [
        #"{"model":"m"}"#, #"{"model":"m","prompt":""}"#, #"{"model":"m","prompt":[]}"#,
        #"{"model":"m","prompt":[""]}"#,
        #"{"model":"m","prompt":[[]]}"#, #"{"model":"m","prompt":["a",""]}"#, #"{"model":"m","prompt":[[1],[]]}"#,
        #"{"model":"m","prompt":[-1]}"#, #"{"model":"m","prompt":[4294967296]}"#, #"{"model":"m","prompt":[1.5]}"#,
        #"{"model":"m","prompt":[1,"a"]}"#, #"{"model":"m","prompt":5}"#, #"{"model":"m","prompt":{}}"#,
        #"{"model":"m","prompt":[true]}"#, "[]", "5", "null", "", "{", "{\"model\":\"\u{1}\"}",
    ])
    func badCompletionsAreRefused(_ body: String) {
        do throws(APIError) {
            _ = try text(body)
            Issue.record("\(body) was taken")
        } catch {
            #expect(error.status == 400)
            #expect(error.type == "invalid_request_error")
        }
    }
}
