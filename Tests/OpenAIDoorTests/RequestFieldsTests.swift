import Testing

@testable import OpenAIDoor

/// Fields of OpenAI's, vLLM's, SGLang's and llama-server's requests: each is done, ignored and named, or refused.
@Suite struct RequestFieldsTests {
    private func chat(_ fields: String, isStrict: Bool = false) throws(APIError) -> RequestReader.Body {
        let body = #"{"model":"m","messages":[{"role":"user","content":"hi"}],\#(fields)}"#
        return try RequestReader(form: .chat, maximumTokens: 4096, isStrict: isStrict).read(Array(body.utf8))
    }

    private func messages(_ messages: String) throws(APIError) -> RequestReader.Body {
        let body = #"{"model":"m","messages":[\#(messages)]}"#
        return try RequestReader(form: .chat, maximumTokens: 4096).read(Array(body.utf8))
    }

    private func text(_ fields: String) throws(APIError) -> RequestReader.Body {
        try RequestReader(form: .text, maximumTokens: 4096).read(Array(#"{"model":"m",\#(fields)}"#.utf8))
    }

    @Test func whatIsUnknownIsIgnoredAndNamed() throws {
        let body = try chat(#""zeta":1,"tmperature":{"a":[]},"stream_options":{"x":1},"nothing":null"#)
        #expect(body.ignored == ["stream_options.x", "tmperature", "zeta"])
        #expect(throws: APIError.self) { try chat(#""tmperature":1"#, isStrict: true) }
        #expect(try chat(#""tmperature":null,"user":"u","store":true"#, isStrict: true).ignored.isEmpty)
        let nested = try messages(
            #"{"role":"user","colour":1,"content":[{"type":"text","text":"a","cache_control":{}}]}"#)
        #expect(nested.ignored == ["messages[0].content[0].cache_control", "messages[0].colour"])
    }

    @Test func optionsOfServersAreDone() throws {
        let request = try chat(
            #"""
            "stop_token_ids":[5,4294967295],"logit_bias":{"7":-100,"8":1.5},"priority":-3,"cache_salt":"s",
            "chat_template_kwargs":{"enable_thinking":false,"n":12345678901234567890},"reasoning_effort":"low",
            "continue_final_message":true,"add_generation_prompt":false,"skip_special_tokens":true,"top_p":0
            """#
        ).request
        #expect(request.stopTokens == [5, .max])
        #expect(request.logitBias == [TokenBias(token: 7, bias: -100), TokenBias(token: 8, bias: 1.5)])
        #expect(request.priority == -3 && request.cacheSalt == "s")
        // Whole numbers pass as they stand.
        #expect(
            request.templateArguments
                == #"{"enable_thinking":false,"n":12345678901234567890,"reasoning_effort":"low"}"#)
        #expect(request.continuesFinalMessage && request.omitsGenerationPrompt)
        #expect(request.sampling.topP > 0 && request.sampling.topP < 1e-6)
    }

    @Test func boundsBeyondTheLargestCountAsThat() throws {
        for bound in ["4097", "9223372036854775807", "123456789012345678901234567890"] {
            #expect(try chat(#""max_tokens":\#(bound)"#).request.maximumTokens == 4096)
        }
        #expect(try chat(#""max_tokens":-1"#).request.maximumTokens == nil)
        #expect(try chat(#""max_tokens":5,"max_completion_tokens":6"#).request.maximumTokens == 6)
    }

    @Test func messagesMayHaveMoreThanARoleAndAContent() throws {
        let more = try messages(
            #"{"role":"user","name":"ann","content":"a\"b"},{"role":"assistant","content":null,"reasoning_content":"r"}"#
        )
        #expect(
            more.request.prompt
                == .messages(
                    #"[{"role":"user","content":"a\"b","name":"ann"},"#
                        + #"{"role":"assistant","content":"","reasoning_content":"r"}]"#))
        let plain = try messages(#"{"role":"user","content":"a"},{"role":"assistant","content":null,"refusal":"no"}"#)
        #expect(
            plain.request.prompt == .chat([.init(role: "user", content: "a"), .init(role: "assistant", content: "")]))
    }

    @Test func severalPromptsAndChoicesBecomeAsManyRequests() throws {
        let body = try text(#""prompt":["a",[1,2],"c"],"n":2,"best_of":2,"seed":-1"#)
        #expect(body.count == 6)
        #expect(
            (0..<6).map { body.request($0).prompt }
                == [.text("a"), .text("a"), .tokens([1, 2]), .tokens([1, 2]), .text("c"), .text("c")])
        #expect((0..<3).map { body.request($0).sampling.seed } == [.max, 0, .max])
        #expect(throws: APIError.self) {
            try text(#""prompt":[\#(Array(repeating: "\"a\"", count: 9).joined(separator: ","))],"n":16"#)
        }
        #expect(throws: APIError.self) { try text(#""prompt":["a"],"best_of":3"#) }
    }

    @Test func toolsThatAreNotToBeUsedPass() throws {
        #expect(try chat(#""tools":[{"type":"function"}],"tool_choice":"none""#).ignored.isEmpty)
        #expect(throws: APIError.self) { try chat(#""tools":[{"type":"function"}],"tool_choice":"auto""#) }
    }

    @Test func usageInEveryEventIsAskedForWithUsage() throws {
        let body = try chat(#""stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}"#)
        #expect(body.includesUsage && body.includesContinuousUsage)
        #expect(try !chat(#""stream":true,"stream_options":{"continuous_usage_stats":true}"#).includesContinuousUsage)
        #expect(try chat(#""stream_options":{"include_usage":true}"#).includesUsage)
    }
}
