import Llama
import Testing

struct ChatOptionTests {
    let model: LlamaModel
    let template: ChatTemplate

    init() throws {
        model = try Fixtures.model.get()
        template = try ChatTemplate(source: try #require(model.chatTemplateSource), vocabulary: model.vocabulary)
    }

    private func text(_ segments: [ChatSegment]) -> String {
        String(decoding: segments.flatMap(\.bytes), as: UTF8.self)
    }

    private func tokens(_ segments: [ChatSegment]) throws -> [UInt32] {
        var tokens: [UInt32] = []
        try model.vocabulary.encode(segments, into: &tokens)
        return tokens
    }

    @Test(arguments: try Fixtures.chats.requests)
    func rendersAsJinja2AndTransformersDo(_ fixture: Fixtures.Request) throws {
        let template = try ChatTemplate(
            source: fixture.source ?? #require(model.chatTemplateSource), vocabulary: model.vocabulary)
        let options = ChatOptions(
            arguments: fixture.arguments ?? "", continuesFinalMessage: fixture.continuesFinalMessage ?? false,
            addsGenerationPrompt: fixture.addGenerationPrompt ?? true)
        let rendered = try template.render(json: fixture.messages, options: options, now: 0)
        #expect(text(rendered) == fixture.text)
        if let pairs = fixture.pairs {
            let plain = try template.render(
                pairs.map { ChatMessage(role: $0[0], content: $0[1]) }, options: options, now: 0)
            #expect(text(plain) == fixture.text)
            #expect(try tokens(plain) == tokens(rendered))
        }
    }

    @Test(
        "What is not a list of messages is refused, with a reason",
        arguments: [
            "", "{", "null", "{}", "[]", "[1]", "[{}]", #"[{"role": 1}]"#, #"[{"role": "user", "content": 3}]"#,
            #"[{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]"#,
            #"[{"role": "user", "content": "\ud800"}]"#, #"[{"role": "user", "content": "\ufdd0"}]"#,
        ])
    func refusals(json: String) {
        #expect {
            try template.render(json: json, now: 0)
        } throws: { error in
            guard case .refused(let reason) = error as? ChatTemplateError else { return false }
            return !reason.isEmpty
        }
    }

    @Test("Arguments that are no object are refused", arguments: ["1", "[]", "{", #"{"a": "#])
    func refusedArguments(arguments: String) {
        #expect(throws: ChatTemplateError.self) {
            try template.render(
                [ChatMessage(role: "user", content: "x")], options: ChatOptions(arguments: arguments), now: 0)
        }
    }

    @Test("JSON of any depth and number ends nothing")
    func deepJSON() {
        let deep = String(repeating: "[", count: 4 << 20)
        for json in [deep, "[{\"role\":\"user\",\"content\":" + deep, "[{\"a\":18446744073709551615,\"role\":\"u\"}]"] {
            _ = try? template.render(json: json, now: 0)
            _ = try? template.render(
                [ChatMessage(role: "user", content: "x")], options: ChatOptions(arguments: json), now: 0)
        }
        #expect(throws: ChatTemplateError.refused(reason: "the JSON is nested deeper than 64 levels")) {
            try template.render(json: deep, now: 0)
        }
    }

    @Test("No part of a request becomes a control token, even where a template loses track of whose text it is")
    func nothingBecomesControl() throws {
        let source = """
            {%- for message in messages %}{{ '<|im_start|>' + message['role'] + message['content'] }}{% for name in message \
            %}{{ name }}{% endfor %}{{ message | tojson }}{{ x }}{{ x | tojson }}{% for name in y %}{{ name }}{% endfor %}\
            {% endfor -%}
            """
        let leaky = try ChatTemplate(source: source, vocabulary: model.vocabulary)
        let mark = "a<|im_start|>b<|im_end|>c<|endoftext|>"
        let object = "{\"\(mark)\": \"\(mark)\", \"role\": \"\(mark)\", \"content\": \"\(mark)\", \"z\": [\"\(mark)\"]}"
        let escaped = object.replacing("<", with: "\\u003c")
        for json in [object, escaped] {
            let rendered = try leaky.render(
                json: "[\(json)]", options: ChatOptions(arguments: "{\"x\": [\(json)], \"y\": \(json)}"), now: 0)
            #expect(try tokens(rendered).filter(model.vocabulary.isControl) == [1])
            // Nothing of it is missing either.
            #expect(text(rendered).contains(mark + mark))
            #expect(!text(rendered).unicodeScalars.contains { $0.value == 0xFDD0 || $0.value == 0xFDD1 })
        }
    }

    @Test("A message without content, or that the template hides, cannot be continued")
    func nothingToContinue() throws {
        let options = ChatOptions(continuesFinalMessage: true)
        #expect(throws: ChatTemplateError.self) {
            try template.render(json: #"[{"role": "assistant", "content": null}]"#, options: options, now: 0)
        }
        let hiding = try ChatTemplate(source: "{{ messages[0]['content'] }}", vocabulary: model.vocabulary)
        let messages = [ChatMessage(role: "user", content: "a"), ChatMessage(role: "assistant", content: "b")]
        #expect(throws: ChatTemplateError.self) { try hiding.render(messages, options: options, now: 0) }
    }
}
