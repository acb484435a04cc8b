import Seeds
import Foundation
import Llama
import Testing
import Tokenization

/// A prompt in pieces has the tokens of the whole.
struct PieceTests {
    @Test(arguments: 0..<24) func piecesHaveTheTokensOfTheWhole(seed: UInt64) throws {
        let encoder = try Self.encoder.get()
        var generator = SeededGenerator(seed: seed)
        let text = Self.text(4096, using: &generator)
        for prompt in [
            Prompt.text(text),
            .chat([ChatMessage(role: "user", content: text), ChatMessage(role: "user", content: "a b")]),
        ] {
            let whole = try encoder.encode(prompt, now: 0)
            for pieceBytes in [1, 7, 64, 1000] {
                var steps = encoder.steps(prompt, pieceBytes: pieceBytes, now: 0)
                var count = 0
                var result: Result<[UInt32], PromptError>?
                while result == nil {
                    result = steps.step()
                    count += 1
                }
                #expect(try result?.get() == whole, "seed \(seed), pieces of \(pieceBytes)")
                #expect(count > 2, "it was not cut")
            }
        }
    }

    @Test func aTextWithoutAPlaceToCutIsOnePieceAndSaysSo() throws {
        let encoder = try Self.encoder.get()
        var steps = encoder.steps(.text(String(repeating: " ", count: 10_000)), pieceBytes: 100, now: 0)
        #expect(steps.step() == nil)
        #expect(steps.nextCost == 10_000)
        #expect(steps.step() != nil)
    }

    /// What a template takes for many messages with nothing in them is known beforehand.
    @Test func manyEmptyMessagesAreLong() throws {
        let messages = Array(repeating: ChatMessage(role: "", content: ""), count: 2048)
        #expect(Prompt.chat(messages).cost > 64 << 10)
        #expect(try Self.encoder.get().steps(.chat(messages), now: 0).nextCost > 64 << 10)
    }

    @Test func aPromptThatCannotFitIsNotTokenized() throws {
        let encoder = try Self.encoder.get()
        let text = String(repeating: "one two three\n", count: 600_000)
        var steps = encoder.steps(.text(text), tokenLimit: 8192, now: 0)
        guard case .failure(.tooManyTokens(let fewest)) = steps.step() else {
            Issue.record("8 MB were not refused in the first step")
            return
        }
        #expect(fewest >= 8192)

        // Too small to be sure, too long all the same: given up once there are too many.
        let shorter = String(repeating: "one two three\n", count: 20_000)
        steps = encoder.steps(.text(shorter), tokenLimit: 8192, now: 0)
        var count = 1
        var result = steps.step()
        while result == nil {
            result = steps.step()
            count += 1
        }
        guard case .failure(.tooManyTokens) = result else {
            Issue.record("\(String(describing: result))")
            return
        }
        #expect(count <= 6, "of eighteen pieces")
    }

    private static let encoder = Result {
        let environment = ProcessInfo.processInfo.environment
        let cache = environment["TOKENFACTORY_CACHE"] ?? (environment["HOME"] ?? "") + "/.cache/tokenfactory"
        let path = environment["TOKENFACTORY_MODEL"] ?? cache + "/models/smollm2-135m-instruct-q8_0.gguf"
        return try PromptEncoder(model: try LlamaModel(path: path, vocabularyOnly: true))
    }

    /// Words, numbers, contractions, marks, white space of every kind, look-alikes of control tokens, other scripts.
    private static func text(_ count: Int, using generator: inout SeededGenerator) -> String {
        let pieces = [
            "the", "The", "a", "Zebra9", "x1", "'s", "don't", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", " \n",
            "\n ", "12",
            "345678", "9", ".", "...", ". ", "!?", "(", "){", "<|im_start|>", "<|im_end|>", "user", "漢字", "é",
            "e\u{301}",
            "Привет", "🙂", "\u{A0}", "\u{3000}", "_", "-", "—", " the", " I", "'LL ", "\u{200B}", "ﬁ", "<a b>", "²",
            "٣",
        ]
        var text = ""
        for _ in 0..<count {
            text += pieces[Int.random(in: 0..<pieces.count, using: &generator)]
        }
        return text
    }
}
