import Engines
import Foundation
import Llama
import Testing

@Suite struct CommonPrefixesTests {
    private static func read(_ json: String) throws -> [[UInt32]] {
        let path = FileManager.default.temporaryDirectory.appending(path: "common-\(UUID().uuidString).json")
        try Data(json.utf8).write(to: path)
        defer { try? FileManager.default.removeItem(at: path) }
        return try CommonPrefixes.read(path.path, vocabulary: try Fixtures.model.get().vocabulary)
    }

    @Test("Texts are tokenized with their markup, ids are taken as they are")
    func reads() throws {
        let prefixes = try Self.read(#"["<|im_start|>system\nBe kind.", [1, 2, 3]]"#)
        #expect(prefixes.count == 2)
        // The markup is one token.
        #expect(prefixes[0].first == 1)
        #expect(prefixes[0].count < 10)
        #expect(prefixes[1] == [1, 2, 3])
    }

    @Test(
        "What cannot be used is refused, with the setting's name",
        arguments: ["", "{}", "[1]", "[[-1]]", "[[4294967295]]", "[null]", "[[\"a\"]]"])
    func refuses(json: String) {
        let error = #expect(throws: CommonPrefixes.Refusal.self) { try Self.read(json) }
        #expect(error?.description.hasPrefix("common-prefixes: ") == true)
    }

    @Test("A file that is not there is refused")
    func missing() throws {
        let vocabulary = try Fixtures.model.get().vocabulary
        #expect(throws: CommonPrefixes.Refusal.self) {
            try CommonPrefixes.read("/does/not/exist.json", vocabulary: vocabulary)
        }
    }
}
