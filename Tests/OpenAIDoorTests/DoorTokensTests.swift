import Keys
import Synchronization
import Testing

@testable import OpenAIDoor

@Suite struct DoorTokensTests {
    private func question(_ form: TokenReader.Form, _ text: String) throws(APIError) -> TokenReader.Body {
        try TokenReader(form: form).read(Array(text.utf8))
    }

    @Test func aTextGetsSpecialTokensAndAConversationDoesNot() throws {
        let text = try question(.tokenize, #"{"model":"m","prompt":"hi"}"#).question
        #expect(text.request.prompt == .text("hi"))
        #expect(text.addsSpecialTokens && !text.wantsPieces)
        let chat = try question(
            .tokenize,
            #"{"messages":[{"role":"user","content":"hi"}],"add_generation_prompt":false,"return_token_strs":true}"#
        ).question
        #expect(chat.request.prompt == .chat([.init(role: "user", content: "hi")]))
        #expect(chat.request.model.isEmpty && chat.request.omitsGenerationPrompt)
        #expect(!chat.addsSpecialTokens && chat.wantsPieces)
        let back = try question(.detokenize, #"{"model":"m","tokens":[1,4294967295],"extra":1}"#)
        #expect(back.question.request.prompt == .tokens([1, 4_294_967_295]))
        #expect(back.ignored == ["extra"])
    }

    @Test(arguments: [
        (TokenReader.Form.tokenize, #"{"model":"m"}"#, "messages"),
        (.tokenize, #"{"prompt":["a"]}"#, "prompt"),
        (.tokenize, #"{"prompt":"a","tools":[{}]}"#, "tools"),
        (.tokenize, #"{"prompt":"a","add_special_tokens":1}"#, "add_special_tokens"),
        (.detokenize, #"{"model":"m"}"#, "tokens"),
        (.detokenize, #"{"tokens":[-1]}"#, "tokens"),
        (.detokenize, #"{"tokens":"1"}"#, "tokens"),
    ]) func badFieldsAreNamed(form: TokenReader.Form, body: String, parameter: String) {
        let error = #expect(throws: APIError.self) { try question(form, body) }
        #expect(error?.status == 400 && error?.parameter == parameter)
    }

    @Test func answersAreVLLMs() async throws {
        let backend = ScriptedBackend.saying(["x"])
        try await TestDoor.with(backend) { door in
            // A token that ends in the middle of a character.
            backend.tokensAnswer.withLock {
                $0 = .success(
                    DoorTokens(tokens: [5, 6, 7], ends: [1, 1, 3], text: [0x61, 0x22, 0xc3], contextLength: 99))
            }
            let tokens = try await door.call("POST", "/tokenize", Array(#"{"model":"m","prompt":"hi","x":1}"#.utf8))
            #expect(tokens.status == 200)
            let expected =
                "{\"count\":3,\"max_model_len\":99,\"tokens\":[5,6,7],"
                + "\"token_strs\":[\"a\",\"\",\"\\\"\u{fffd}\"]}"
            #expect(tokens.text == expected)
            #expect(tokens.headers["x-ignored-fields"] == "x")
            backend.tokensAnswer.withLock { $0 = .success(DoorTokens(tokens: [5], ends: [2], text: Array("é".utf8))) }
            let text = try await door.call("POST", "/detokenize", Array(#"{"tokens":[5]}"#.utf8))
            #expect(text.text == #"{"prompt":"é"}"#)
            backend.tokensAnswer.withLock { $0 = .failure(DoorFailure(.busy, "later")) }
            let busy = try await door.call("POST", "/detokenize", Array(#"{"tokens":[5]}"#.utf8))
            #expect(busy.status == 429 && busy.headers["retry-after"] != nil)
            let method = try await door.call("GET", "/tokenize")
            #expect(method.status == 405)
            #expect(backend.questions.map(\.request.tenant) == ["default", "default", "default"])
        }
    }

    @Test func aLargeBodyIsRefusedAndAKeyIsWanted() async throws {
        let backend = ScriptedBackend.saying(["x"])
        let keys = try KeyRing(parsing: KeyRing.hash(of: "good") + " acme")
        try await TestDoor.with(
            backend,
            configure: {
                $0.keys = keys
                $0.bodyLimit = 100
            }
        ) { door in
            let stranger = try await door.call("POST", "/tokenize", Array(#"{"prompt":"a"}"#.utf8))
            #expect(stranger.status == 401)
            let key = ["Authorization": "Bearer good"]
            let large = Array(#"{"prompt":"\#(String(repeating: "a", count: 200))"}"#.utf8)
            let refused = try await door.call("POST", "/tokenize", large, headers: key)
            #expect(refused.status == 413)
            let known = try await door.call("POST", "/tokenize", Array(#"{"prompt":"a"}"#.utf8), headers: key)
            #expect(known.status == 200)
            #expect(backend.questions.map(\.request.tenant) == ["acme"])
        }
    }
}
