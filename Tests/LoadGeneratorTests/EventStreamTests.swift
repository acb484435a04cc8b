import Foundation
import Testing
import Wire

@testable import LoadGenerator

struct EventStreamTests {
    @Test func anyCutGivesTheSameEvents() {
        let stream = Array("data: {\"a\":1}\r\n\r\n: comment\ndata:x\n\nevent: y\ndata: [DONE]\n\n".utf8)
        for size in 1...stream.count {
            var parser = EventStreamParser()
            var events: [String] = []
            for start in stride(from: 0, to: stream.count, by: size) {
                parser.push(stream[start..<min(stream.count, start + size)]) {
                    events.append(String(decoding: $0, as: UTF8.self))
                }
            }
            #expect(events == ["{\"a\":1}", "x", "[DONE]"], "pieces of \(size)")
        }
    }

    @Test func readsWhatAChunkSays() throws {
        let text = chunk(#"{"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}"#, keepsText: true)
        #expect(text?.text == "Hi")
        #expect(text?.hasText == true)
        #expect(text?.finish == nil)
        let last = chunk(#"{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}"#)
        #expect(last?.finish == "length")
        #expect(last?.hasText == false)
        let usage = chunk(
            #"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":3}}}"#
        )
        #expect(usage?.promptTokens == 7)
        #expect(usage?.tokens == 5)
        #expect(usage?.cachedTokens == 3)
        #expect(chunk(#"{"choices":[],"usage":{"completion_tokens":5}}"#)?.tokens == 5)
        #expect(chunk(#"{"error":{"message":"no","type":"x"}}"#)?.error == "no")
        #expect(chunk(#"{"error":"no"}"#)?.error == "no")
        #expect(chunk(#"{"error":{"code":5}}"#)?.error == "an error without a message")
        #expect(chunk(#"{"choices":[],"error":null}"#)?.error == nil)
        let hops = chunk(
            #"{"choices":[],"hops":[{"station":"inference-worker","phase":"first-token","received_ns":5,"begun_ns":6,"#
                + #""sent_ns":7,"uncertainty_us":0}]}"#)?.hops
        #expect(hops?.first?.station == .inferenceWorker && hops?.first?.phase == .firstToken)
        #expect(hops?.first?.receivedAt == 5 && hops?.first?.begunAt == 6 && hops?.first?.sentAt == 7)
        #expect(chunk("no JSON", keepsText: true) == nil)
    }

    /// What is not decoded must be seen as it would be if it were.
    @Test(arguments: [
        #"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
        #"{"choices":[{"index":0,"delta":{"content":"\"usage\":{ \"finish_reason\":\"stop\""},"finish_reason":null}]}"#,
        #"{"choices":[{"index":0,"delta":{"content":"\"content\":\"x"},"finish_reason":null}]}"#,
        #"{"choices": [{"index": 0, "delta": {"content": "spaces"}, "finish_reason": null}]}"#,
        #"{"choices":[{"index":0,"text":"completion","finish_reason":null}]}"#,
        #"{"choices":[{"index":0,"text":"","finish_reason":null}]}"#,
    ])
    func theShortWayAgreesWithDecoding(json: String) {
        let short = chunk(json, keepsText: false)
        let whole = chunk(json, keepsText: true)
        #expect(short?.hasText == whole?.hasText)
        #expect(short?.finish == whole?.finish)
    }

    private func chunk(_ json: String, keepsText: Bool = false) -> CompletionChunk? {
        CompletionChunk(Array(json.utf8)[...], keepsText: keepsText)
    }
}

struct CompletionBodyTests {
    private func body(_ prompt: LoadPrompt, temperature: Double? = nil, marks: Bool = false) throws -> [String: Any] {
        let request = LoadRequest(
            index: 0, id: RequestID(high: 1, low: 1), model: "a \"model\"", prompt: prompt, maximumTokens: 12,
            temperature: temperature, ignoresEndOfSequence: marks, wantsHops: marks, keepsText: false, seed: .max,
            cancelAfter: nil, intendedAt: 0)
        let object = try JSONSerialization.jsonObject(with: Data(CompletionBody(request).bytes))
        return try #require(object as? [String: Any])
    }

    @Test func anyTextSurvives() throws {
        let text = "\"\\ /\u{0}\u{1F}\n\t\r ü \u{1F600} \u{2028}"
        let chat = try body(.chat(text))
        let message = try #require((chat["messages"] as? [[String: String]])?.first)
        #expect(message == ["role": "user", "content": text])
        #expect(try body(.text(text))["prompt"] as? String == text)
        #expect(chat["model"] as? String == "a \"model\"" && chat["stream"] as? Bool == true)
        #expect((chat["stream_options"] as? [String: Bool]) == ["include_usage": true])
        #expect(chat["max_tokens"] as? Int == 12 && chat["seed"] as? Int64 == .max)
        #expect(chat["temperature"] == nil && chat["ignore_eos"] == nil && chat["hops"] == nil)
    }

    @Test func tokensAreNumbers() throws {
        let tokens: [UInt32] = [0, 9, 10, 15_999, 100_000, .max]
        let object = try body(.tokens(tokens), temperature: 0.5, marks: true)
        #expect(object["prompt"] as? [UInt32] == tokens)
        #expect(object["temperature"] as? Double == 0.5)
        #expect(object["ignore_eos"] as? Bool == true && object["hops"] as? Bool == true)
        #expect(try body(.tokens([]))["prompt"] as? [UInt32] == [])
    }
}
