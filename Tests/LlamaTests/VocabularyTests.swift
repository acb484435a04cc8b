import Foundation
import Llama
import Testing

struct VocabularyTests {
    let vocabulary: Vocabulary

    init() throws {
        vocabulary = try Fixtures.model.get().vocabulary
    }

    private func tokenize(_ text: some Sequence<UInt8>, parseSpecial: Bool = false) throws -> [UInt32] {
        var tokens: [UInt32] = []
        try vocabulary.tokenize(Array(text).span, parseSpecial: parseSpecial, addSpecial: false, into: &tokens)
        return tokens
    }

    private func detokenize(_ tokens: [UInt32]) throws -> [UInt8] {
        var bytes: [UInt8] = []
        for token in tokens { try vocabulary.bytes(of: token, renderSpecial: true, into: &bytes) }
        return bytes
    }

    @Test func tokenizesAsHuggingFaceDoes() throws {
        let strings = try Fixtures.load("corpus", as: Corpus.self).strings
        let fixture = try Fixtures.load("tokens", as: Fixtures.Tokens.self)
        try #require(strings.count == fixture.tokens.count && strings.count > 1000)
        for (index, string) in strings.enumerated() {
            let tokens = try tokenize(string.utf8)
            #expect(
                hash(tokens) == fixture.tokens[index], "string \(index): \(String(string.prefix(200)).debugDescription)"
            )
        }
    }

    @Test func givesTheTextBack() throws {
        let missing = Set(try Fixtures.load("tokens", as: Fixtures.Tokens.self).missingBytes)
        for (index, string) in try Fixtures.load("corpus", as: Corpus.self).strings.enumerated() {
            let back = try detokenize(try tokenize(string.utf8))
            #expect(back == string.utf8.filter { !missing.contains($0) }, "string \(index)")
        }
    }

    @Test func appendsToWhatIsThere() throws {
        var tokens: [UInt32] = [7, 8]
        try vocabulary.tokenize(Array("Hello".utf8).span, parseSpecial: false, addSpecial: false, into: &tokens)
        #expect(tokens == [7, 8] + (try tokenize("Hello".utf8)))
        let nothing: [UInt8] = []
        try vocabulary.tokenize(nothing.span, parseSpecial: false, addSpecial: false, into: &tokens)
        #expect(tokens.count == 3)
    }

    @Test func survivesWhatIsNotUTF8() throws {
        var random = SplitMix64(state: 42)
        for _ in 0..<200 {
            _ = try tokenize((0..<1 + random.below(300)).map { _ in UInt8(random.below(256)) })
        }
        #expect(try tokenize([0xF0, 0x9F, 0x98]).isEmpty == false)
    }

    @Test func readsControlTokensOnlyWhenAsked() throws {
        let start = try #require(vocabulary.beginOfSequence)
        #expect(try tokenize("<|im_start|>".utf8, parseSpecial: true) == [start])
        let characters = try tokenize("<|im_start|>".utf8)
        #expect(characters.count > 1 && !characters.contains(where: vocabulary.isControl))
        #expect(try detokenize(characters) == Array("<|im_start|>".utf8))
    }

    @Test func knowsItsTokens() throws {
        #expect(vocabulary.count == 49152)
        #expect((vocabulary.beginOfSequence, vocabulary.endOfSequence) == (1, 2))
        #expect(!vocabulary.addsBeginOfSequence)
        #expect(vocabulary.endOfGenerationTokens.contains(2))
        #expect(vocabulary.endOfGenerationTokens.allSatisfy(vocabulary.isEndOfGeneration))
        #expect(!vocabulary.isEndOfGeneration(1000))
        #expect((0..<UInt32(vocabulary.count)).filter(vocabulary.isControl) == Array(0...16))
        #expect(!vocabulary.isControl(.max) && !vocabulary.isEndOfGeneration(.max))
    }

    @Test func rendersControlTokensOnlyWhenAsked() throws {
        var bytes: [UInt8] = []
        try vocabulary.bytes(of: 2, renderSpecial: false, into: &bytes)
        #expect(bytes.isEmpty)
        try vocabulary.bytes(of: 2, renderSpecial: true, into: &bytes)
        #expect(bytes == Array("<|im_end|>".utf8))
    }

    @Test(arguments: [49152, UInt32(Int32.max), 1 << 31, .max])
    func refusesUnknownTokens(_ token: UInt32) throws {
        var bytes: [UInt8] = []
        #expect(throws: LlamaError.unknownToken(token)) {
            try vocabulary.bytes(of: token, renderSpecial: true, into: &bytes)
        }
    }

    @Test func aVocabularyAloneGivesTheSameTokens() throws {
        let other = try LlamaModel(path: Fixtures.modelPath, vocabularyOnly: true)
        #expect(other.trainedContextLength == 8192)
        #expect(other.sizeBytes == 0 && other.parameterCount == 0 && other.kvCacheBytesPerToken == 0)
        var tokens: [UInt32] = []
        let text = "The KV cache holds 23 kB a token."
        try other.vocabulary.tokenize(Array(text.utf8).span, parseSpecial: false, addSpecial: false, into: &tokens)
        #expect(tokens == (try tokenize(text.utf8)))
    }
}
