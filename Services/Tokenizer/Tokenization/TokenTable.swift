public import Llama

/// The bytes of every token of a vocabulary as they stand in an answer: control tokens have none.
///
/// Read once, so that decoding a token is a copy out of one array.
public struct TokenTable: Sendable {
    private let storage: [UInt8]
    /// Token `id` has the bytes from `ends[id]` to `ends[id + 1]`.
    private let ends: [UInt32]
    /// Which tokens are whole characters by themselves.
    private let isWhole: [Bool]

    /// Reads all tokens of `vocabulary`.
    public init(_ vocabulary: Vocabulary) throws(LlamaError) {
        var storage: [UInt8] = []
        var ends: [UInt32] = [0]
        ends.reserveCapacity(vocabulary.count + 1)
        for token in 0..<UInt32(vocabulary.count) {
            try vocabulary.bytes(of: token, renderSpecial: false, into: &storage)
            ends.append(UInt32(storage.count))
        }
        self.init(storage: storage, ends: ends, isBound: vocabulary.countsEveryByte)
    }

    /// A table of its own making: piece `i` is token `i`.
    public init(pieces: [[UInt8]]) {
        var ends: [UInt32] = [0]
        var end = 0
        for piece in pieces {
            end += piece.count
            ends.append(UInt32(end))
        }
        self.init(storage: Array(pieces.joined()), ends: ends, isBound: true)
    }

    private init(storage: [UInt8], ends: [UInt32], isBound: Bool) {
        self.storage = storage
        self.ends = ends
        longest = isBound ? zip(ends, ends.dropFirst()).lazy.map { Int($1 - $0) }.max() ?? 0 : 0
        isWhole = ends.indices.dropLast().map { token in
            let bytes = storage.span.extracting(Int(ends[token])..<Int(ends[token + 1]))
            return (try? UTF8Span(validating: bytes)) != nil
        }
    }

    /// Bytes of the longest token. A text of more bytes than so many tokens of that length has more tokens. 0 where that
    /// is not so, because the model's tokens can take white space with them.
    public let longest: Int

    /// Number of tokens.
    public var count: Int { ends.count - 1 }

    /// Decodes one token.
    ///
    /// - Returns: false if there is no such token.
    func decode(_ token: UInt32, with detokenizer: inout IncrementalDetokenizer, into text: inout [UInt8]) -> Bool {
        guard token < count else { return false }
        let range = Int(ends[Int(token)])..<Int(ends[Int(token) + 1])
        if isWhole[Int(token)], !detokenizer.isInsideCharacter {
            text += storage[range]
        } else {
            detokenizer.push(storage.span.extracting(range), into: &text)
        }
        return true
    }
}
