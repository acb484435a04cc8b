import Foundation
import Llama
import Testing

/// What scripts/llama-fixtures.py wrote, and the model that it wrote it from.
enum Fixtures {
    struct Tokens: Decodable {
        /// Bytes that the vocabulary has no token for.
        var missingBytes: [UInt8]
        /// For each string of the corpus `count:hash` of its ids.
        var tokens: [String]
    }

    struct Chats: Decodable {
        var chats: [Chat]
        var templates: [Template]
        var requests: [Request]
    }

    /// A chat as a sender may ask for it.
    struct Request: Decodable, Sendable, CustomTestStringConvertible {
        var name: String
        /// nil: the model's own.
        var source: String?
        /// A JSON array.
        var messages: String
        /// The same as role and content, where that says all.
        var pairs: [[String]]?
        var arguments: String?
        var continuesFinalMessage: Bool?
        var addGenerationPrompt: Bool?
        var text: String
        var testDescription: String { name }
    }

    struct Chat: Decodable, Sendable, CustomTestStringConvertible {
        var name: String
        var messages: [Message]
        var addGenerationPrompt: Bool
        var text: String
        var ids: [UInt32]
        var testDescription: String { name }
    }

    struct Template: Decodable, Sendable, CustomTestStringConvertible {
        var name: String
        var source: String
        var messages: [Message]
        var text: String?
        var refusal: String?
        var testDescription: String { name }
    }

    struct Message: Decodable, Sendable {
        var role: String
        var content: String
        var asChatMessage: ChatMessage { ChatMessage(role: role, content: content) }
    }

    static func load<T: Decodable>(_ name: String, as type: T.Type = T.self) throws -> T {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: "json"))
        return try JSONDecoder().decode(type, from: Data(contentsOf: url))
    }

    static let modelPath: String = {
        let environment = ProcessInfo.processInfo.environment
        if let path = environment["TOKENFACTORY_MODEL"] { return path }
        let cache = environment["TOKENFACTORY_CACHE"] ?? NSHomeDirectory() + "/.cache/tokenfactory"
        return cache + "/models/smollm2-135m-instruct-q8_0.gguf"
    }()

    /// Loaded once for all tests; `scripts/setup.sh` puts it there.
    static let model = Result { try LlamaModel(path: modelPath) }

    static var chats: Chats {
        get throws { try load("chats") }
    }
}

/// FNV-1a over the ids, each as four little-endian bytes.
func hash(_ ids: [UInt32]) -> String {
    var value: UInt64 = 0xCBF2_9CE4_8422_2325
    for id in ids {
        for shift in stride(from: UInt32(0), to: 32, by: 8) {
            value = (value ^ UInt64(id >> shift & 0xFF)) &* 0x100_0000_01B3
        }
    }
    let digits = String(value, radix: 16)
    return "\(ids.count):" + String(repeating: "0", count: 16 - digits.count) + digits
}
