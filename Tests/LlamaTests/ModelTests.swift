import Foundation
import Llama
import Testing

struct ModelTests {
    @Test func describesItself() throws {
        let model = try Fixtures.model.get()
        #expect(model.path == Fixtures.modelPath)
        #expect(model.name.contains("135M"))
        #expect(model.description.contains("Q8_0"))
        #expect(model.trainedContextLength == 8192)
        #expect(model.parameterCount == 134_515_008)
        #expect(model.sizeBytes > model.parameterCount)
        // Keys and values of 30 layers with 3 heads of 64 numbers, two bytes each.
        #expect(model.kvCacheBytesPerToken == 2 * 30 * 3 * 64 * 2)
        #expect(model.metadata("general.architecture") == "llama")
        #expect(model.metadata("no.such.key") == nil)
        #expect(LlamaBackend.devices.isEmpty == false)
    }

    @Test func saysWhyItCannotLoad() throws {
        #expect {
            try LlamaModel(path: "/no/such/model.gguf")
        } throws: { error in
            guard case .cannotLoad("/no/such/model.gguf", let reason) = error as? LlamaError else { return false }
            return reason.contains("/no/such/model.gguf")
        }
        let path = NSTemporaryDirectory() + "tokenfactory-\(UUID().uuidString).gguf"
        try Data("not a model".utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(throws: LlamaError.self) { try LlamaModel(path: path) }
        #expect(throws: LlamaError.self) { try TokenizerExport(modelPath: path) }
    }

    @Test func exportsItsTokenizer() throws {
        let export = try TokenizerExport(modelPath: Fixtures.modelPath)
        let object = { (text: String) in
            try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        }
        let tokenizer = try object(export.tokenizer)
        let bpe = try #require(tokenizer["model"] as? [String: Any])
        let vocabulary = try #require(bpe["vocab"] as? [String: Int])
        #expect(vocabulary.count == 49152 && vocabulary["<|im_end|>"] == 2 && vocabulary["Ġthe"] != nil)
        #expect((bpe["merges"] as? [String])?.count == 48900)
        let added = try #require(tokenizer["added_tokens"] as? [[String: Any]])
        #expect(added.compactMap { $0["id"] as? Int } == Array(0...16))

        let configuration = try object(export.configuration)
        #expect(configuration["chat_template"] as? String == (try Fixtures.model.get().chatTemplateSource))
        #expect(configuration["eos_token"] as? String == "<|im_end|>")
        #expect(configuration["model_max_length"] as? Int == 8192)
    }
}
