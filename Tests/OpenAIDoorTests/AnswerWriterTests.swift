import Seeds
import NIOCore
import Testing

@testable import OpenAIDoor

@Suite struct AnswerWriterTests {
    let identity = AnswerWriter.Identity(
        id: DoorRequestID(high: 1, low: 2), created: 1_700_000_000, model: "a \"b\"", fingerprint: "fp_1")
    let usage = DoorUsage(promptTokens: 11, completionTokens: 3, cachedTokens: 8)

    func written(_ writer: AnswerWriter, _ body: (inout AnswerWriter, inout ByteBuffer) -> Void) -> String {
        var writer = writer
        var buffer = ByteBuffer()
        body(&writer, &buffer)
        return String(buffer: buffer)
    }

    static let chatHead =
        #"{"id":"chatcmpl-00000000000000010000000000000002","object":"chat.completion.chunk","created":1700000000,"#
        + #""model":"a \"b\"","system_fingerprint":"fp_1","#
    static let textHead =
        #"{"id":"cmpl-00000000000000010000000000000002","object":"text_completion","created":1700000000,"#
        + #""model":"a \"b\"","system_fingerprint":"fp_1","#

    @Test func chatEvents() {
        let writer = AnswerWriter(form: .chat, identity: identity, streams: true)
        let text = written(writer) { writer, buffer in
            writer.writeText(Array("He said \"hi\"\n".utf8), isLast: false, to: &buffer)
            writer.writeText(Array("你好".utf8), isLast: true, to: &buffer)
            writer.writeFinish(DoorFinish(reason: .length, usage: usage), total: usage, to: &buffer)
        }
        #expect(
            text
                == "data: \(Self.chatHead)"
                + #""choices":[{"index":0,"delta":{"role":"assistant","content":"He said \"hi\"\n"},"logprobs":null,"finish_reason":null}]}"#
                + "\n\ndata: \(Self.chatHead)"
                + #""choices":[{"index":0,"delta":{"content":"你好"},"logprobs":null,"finish_reason":null}]}"#
                + "\n\ndata: \(Self.chatHead)"
                + #""choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}]}"#
                + "\n\ndata: [DONE]\n\n")
    }

    @Test func eventsWithUsageAndHops() {
        let writer = AnswerWriter(
            form: .text, identity: identity, streams: true, includesUsage: true, wantsHops: true)
        let hop = DoorHop(
            station: "ingest", phase: "down", receivedAt: 1, begunAt: 2, sentAt: 3, uncertainty: 4)
        let text = written(writer) { writer, buffer in
            writer.writeText(Array("x".utf8), isLast: true, to: &buffer)
            writer.writeFinish(DoorFinish(reason: .stop, usage: usage, hops: [hop, hop]), total: usage, to: &buffer)
        }
        let hops =
            #""hops":[{"station":"ingest","phase":"down","received_ns":1,"begun_ns":2,"sent_ns":3,"uncertainty_us":4},"#
            + #"{"station":"ingest","phase":"down","received_ns":1,"begun_ns":2,"sent_ns":3,"uncertainty_us":4}]"#
        #expect(
            text
                == "data: \(Self.textHead)"
                + #""choices":[{"index":0,"text":"x","logprobs":null,"finish_reason":null}],"usage":null}"#
                + "\n\ndata: \(Self.textHead)"
                + #""choices":[{"index":0,"text":"","logprobs":null,"finish_reason":"stop"}],"# + hops
                + ",\"usage\":null}\n\ndata: \(Self.textHead)"
                + #""choices":[],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14,"#
                + #""prompt_tokens_details":{"cached_tokens":8}}}"# + "\n\ndata: [DONE]\n\n")
    }

    @Test func anAnswerWithoutTextStillNamesTheRole() {
        let writer = AnswerWriter(form: .chat, identity: identity, streams: true)
        let text = written(writer) { writer, buffer in
            writer.writeFinish(DoorFinish(reason: .stop, usage: usage), total: usage, to: &buffer)
        }
        #expect(
            text
                == "data: \(Self.chatHead)"
                + #""choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":"stop"}]}"#
                + "\n\ndata: [DONE]\n\n")
    }

    @Test func wholeAnswers() {
        let chat = AnswerWriter(form: .chat, identity: identity, streams: false)
        #expect(
            written(chat) {
                $0.writeAnswer([(Array("hi".utf8), DoorFinish(reason: .stop, usage: usage))], usage: usage, to: &$1)
            }
                == Self.chatHead.replacing("chat.completion.chunk", with: "chat.completion")
                + #""choices":[{"index":0,"message":{"role":"assistant","content":"hi","refusal":null},"logprobs":null,"#
                + #""finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14,"#
                + #""prompt_tokens_details":{"cached_tokens":8}}}"#)
        let text = AnswerWriter(form: .text, identity: identity, streams: false, wantsHops: true)
        #expect(
            written(text) {
                $0.writeAnswer([(Array("hi".utf8), DoorFinish(reason: .stop, usage: usage))], usage: usage, to: &$1)
            }
                == Self.textHead + #""choices":[{"index":0,"text":"hi","logprobs":null,"finish_reason":"stop"}],"#
                + #""usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14,"#
                + #""prompt_tokens_details":{"cached_tokens":8}},"hops":[]}"#)
    }

    @Test func choicesEndOneByOne() {
        let writer = AnswerWriter(
            form: .chat, identity: identity, streams: true, includesUsage: true, includesContinuousUsage: true,
            choices: 2)
        let text = written(writer) { writer, buffer in
            writer.writeText(Array("b".utf8), isLast: false, choice: 1, usage: usage, to: &buffer)
            writer.writeFinish(DoorFinish(reason: .stop, usage: usage), choice: 1, total: nil, to: &buffer)
            writer.writeFinish(DoorFinish(reason: .length, usage: usage), choice: 0, total: usage + usage, to: &buffer)
        }
        let events = text.replacing("data: " + Self.chatHead, with: "").split(separator: "\n\n").map { String($0) }
        let each =
            #","usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":8}}}"#
        #expect(
            events == [
                #""choices":[{"index":1,"delta":{"role":"assistant","content":"b"},"logprobs":null,"finish_reason":null}]"#
                    + each,
                #""choices":[{"index":1,"delta":{},"logprobs":null,"finish_reason":"stop"}]"# + each,
                #""choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":"length"}]"#
                    + each,
                #""choices":[],"usage":{"prompt_tokens":22,"completion_tokens":6,"total_tokens":28,"#
                    + #""prompt_tokens_details":{"cached_tokens":16}}}"#, "data: [DONE]",
            ])
    }

    @Test func errors() {
        func text(_ error: APIError) -> String {
            var buffer = ByteBuffer()
            error.write(to: &buffer)
            return String(buffer: buffer)
        }
        #expect(
            text(.unsupported("tools", "No \"tools\".")) == #"{"error":{"message":"No \"tools\".","#
                + #""type":"invalid_request_error","param":"tools","code":"unsupported_parameter"}}"#)
        #expect(
            text(APIError(DoorFailure(.busy, "Full."))) == #"{"error":{"message":"Full.","type":"rate_limit_error","#
                + #""param":null,"code":"rate_limit_exceeded"}}"#)
    }

    @Test func aCharacterSplitAnywhereComesWhole() {
        let whole = Array("aé中😀\"\\\u{0}\u{1f}\u{7f}z".utf8)
        let expected = #"aé中😀\"\\\u0000\u001f"# + "\u{7f}z"
        for first in 0...whole.count {
            for second in first...whole.count {
                var escaper = JSONEscaper()
                var buffer = ByteBuffer()
                escaper.append(Array(whole[..<first]), isLast: false, to: &buffer)
                escaper.append(Array(whole[first..<second]), isLast: false, to: &buffer)
                escaper.append(Array(whole[second...]), isLast: true, to: &buffer)
                #expect(String(buffer: buffer) == expected)
                #expect(!escaper.hasRest)
            }
        }
    }

    @Test func whatIsNoUTF8IsReplaced() {
        let cases: [([UInt8], String)] = [
            ([0xff], "\u{fffd}"), ([0x61, 0x80, 0x62], "a\u{fffd}b"), ([0xc0, 0x80], "\u{fffd}\u{fffd}"),
            ([0xed, 0xa0, 0x80], "\u{fffd}\u{fffd}\u{fffd}"), ([0xe4, 0xb8], "\u{fffd}\u{fffd}"),
            ([0xe4, 0x61], "\u{fffd}a"), ([0xf4, 0x90, 0x80, 0x80], "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
        ]
        for (bytes, expected) in cases {
            var escaper = JSONEscaper()
            var buffer = ByteBuffer()
            escaper.append(bytes, isLast: true, to: &buffer)
            #expect(String(buffer: buffer) == expected)
        }
    }

    @Test func randomBytesAlwaysMakeReadableJSON() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            var escaper = JSONEscaper()
            var buffer = ByteBuffer(string: "\"")
            let pieces = Int(random.next() % 4) + 1
            for piece in 1...pieces {
                let bytes = (0..<Int(random.next() % 12)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                escaper.append(bytes, isLast: piece == pieces, to: &buffer)
            }
            buffer.writeStaticString("\"")
            #expect(throws: Never.self, "seed \(seed)") { try JSONReader.read(Array(buffer.readableBytesView)) }
        }
    }
}
