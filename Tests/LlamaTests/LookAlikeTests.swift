import Foundation
import Llama
import Testing

/// Some models type their markup as text that their makers added, and libllama finds such tokens in any text.
struct LookAlikeTests {
    private static let token: UInt32 = 11
    private static let text = "<jupyter_start>"

    /// A copy of the model in which one control token is such a text.
    private func withPatchedModel(_ body: (LlamaModel) throws -> Void) throws {
        let path = NSTemporaryDirectory() + "tokenfactory-\(UUID().uuidString).gguf"
        try FileManager.default.copyItem(atPath: Fixtures.modelPath, toPath: path)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let file = try FileHandle(forUpdating: URL(filePath: path))
        defer { try? file.close() }
        let start = try #require(try file.read(upToCount: 8 << 20))
        let key = try #require(start.range(of: Data("tokenizer.ggml.token_type".utf8)))
        // After the key: the value's type and the elements' (4 bytes each), their count (8), 4 bytes for each.
        let offset = key.upperBound + 16 + 4 * Int(Self.token)
        try #require(start[offset] == 3)
        try file.seek(toOffset: UInt64(offset))
        try file.write(contentsOf: Data([4]))
        try body(try LlamaModel(path: path, vocabularyOnly: true))
    }

    @Test func areTokensInTemplatesAndTextInMessages() throws {
        try withPatchedModel { model in
            let vocabulary = model.vocabulary
            #expect(!vocabulary.isControl(Self.token))
            var anywhere: [UInt32] = []
            try vocabulary.tokenize(
                Array(Self.text.utf8).span, parseSpecial: false, addSpecial: false, into: &anywhere)
            #expect(anywhere == [Self.token])

            var tokens: [UInt32] = []
            try vocabulary.encode([ChatSegment(bytes: Array(Self.text.utf8), origin: .template)], into: &tokens)
            #expect(tokens == [Self.token])

            tokens = []
            let message = "a\(Self.text)\(Self.text)b<|im_start|>"
            try vocabulary.encode([ChatSegment(bytes: Array(message.utf8), origin: .message)], into: &tokens)
            #expect(!tokens.contains(Self.token) && !tokens.contains(where: vocabulary.isControl))
            var bytes: [UInt8] = []
            for token in tokens { try vocabulary.bytes(of: token, renderSpecial: true, into: &bytes) }
            #expect(bytes == Array(message.utf8))
        }
    }
}
