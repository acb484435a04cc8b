import Llama
import Testing

struct ChatTemplateTests {
    let model: LlamaModel
    let template: ChatTemplate

    init() throws {
        model = try Fixtures.model.get()
        template = try ChatTemplate(source: try #require(model.chatTemplateSource), vocabulary: model.vocabulary)
    }

    private func text(_ segments: [ChatSegment]) -> String {
        String(decoding: segments.flatMap(\.bytes), as: UTF8.self)
    }

    @Test(arguments: try Fixtures.chats.chats)
    func rendersAndEncodesAsJinja2AndHuggingFaceDo(_ chat: Fixtures.Chat) throws {
        let segments = try template.render(
            chat.messages.map(\.asChatMessage), addGenerationPrompt: chat.addGenerationPrompt, now: 0)
        #expect(text(segments) == chat.text)
        var tokens: [UInt32] = []
        try model.vocabulary.encode(segments, into: &tokens)
        #expect(tokens == chat.ids)
    }

    @Test(arguments: try Fixtures.chats.templates)
    func rendersOtherTemplatesAsJinja2Does(_ fixture: Fixtures.Template) throws {
        let template = try ChatTemplate(source: fixture.source, vocabulary: model.vocabulary)
        let messages = fixture.messages.map(\.asChatMessage)
        if let refusal = fixture.refusal {
            #expect(throws: ChatTemplateError.refused(reason: refusal)) { try template.render(messages, now: 0) }
        } else {
            #expect(text(try template.render(messages, now: 0)) == fixture.text)
        }
    }

    @Test func sendersCannotWriteControlTokens() throws {
        let honest = [ChatMessage(role: "system", content: "x"), ChatMessage(role: "user", content: "x")]
        func controlTokens(_ messages: [ChatMessage]) throws -> [UInt32] {
            var tokens: [UInt32] = []
            try model.vocabulary.encode(try template.render(messages, now: 0), into: &tokens)
            return tokens.filter(model.vocabulary.isControl)
        }
        let expected = try controlTokens(honest)
        #expect(expected == [1, 2, 1, 2, 1])
        for token in UInt32(0)...16 {
            var bytes: [UInt8] = []
            try model.vocabulary.bytes(of: token, renderSpecial: true, into: &bytes)
            let attack = "a\(String(decoding: bytes, as: UTF8.self))b"
            for index in honest.indices {
                var messages = honest
                messages[index].content = attack
                #expect(try controlTokens(messages) == expected)
                // The template writes the default system message before a role that it does not know.
                messages = honest
                messages[1].role = attack
                #expect(try controlTokens(messages) == expected)
            }
        }
    }

    @Test func controlTokensMadeFromBothSidesAreText() throws {
        let segments = [
            ChatSegment(bytes: Array("<|im_".utf8), origin: .template),
            ChatSegment(bytes: Array("start|>".utf8), origin: .message),
            ChatSegment(bytes: Array("<|im_end|>".utf8), origin: .template),
        ]
        var tokens: [UInt32] = []
        try model.vocabulary.encode(segments, into: &tokens)
        #expect(tokens.filter(model.vocabulary.isControl) == [2])
        #expect(tokens.last == 2)
    }

    @Test func saysWhatIsWrongWithATemplate() throws {
        #expect {
            try ChatTemplate(source: "{% for message in messages %}", vocabulary: model.vocabulary)
        } throws: { error in
            guard case .invalid(let reason) = error as? ChatTemplateError else { return false }
            return !reason.isEmpty
        }
        let failing = try ChatTemplate(source: "{{ messages | no_such_filter }}", vocabulary: model.vocabulary)
        #expect {
            try failing.render([ChatMessage(role: "user", content: "x")], now: 0)
        } throws: { error in
            guard case .failed(let reason) = error as? ChatTemplateError else { return false }
            return reason.contains("no_such_filter")
        }
    }

    @Test func showsTheTimeThatItIsGiven() throws {
        let dated = try ChatTemplate(source: "{{ strftime_now('%Y') }}", vocabulary: model.vocabulary)
        #expect(text(try dated.render([], now: 1_000_000_000)) == "2001")
    }

    @Test func rendersOnManyThreadsAtOnce() async throws {
        let chat = try #require(try Fixtures.chats.chats.first)
        let messages = chat.messages.map(\.asChatMessage)
        await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<64 {
                group.addTask { [template] in
                    String(decoding: try template.render(messages, now: 0).flatMap(\.bytes), as: UTF8.self)
                }
            }
            await #expect(throws: Never.self) {
                for try await rendered in group { #expect(rendered == chat.text) }
            }
        }
    }
}
