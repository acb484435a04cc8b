public import Llama

/// The bytes of every token of a vocabulary as they stand in an answer: control tokens have none.
///
/// Read once, so that decoding a token is a copy out of one array.
public struct TokenTable: Sendable {
    private let storage: [UInt8]
    /// Token `id` has the bytes from `ends[id]` to `ends[id + 1]`.
    private let ends: [UInt32]

    /// Reads all tokens of `vocabulary`.
    public init(_ vocabulary: Vocabulary) throws(LlamaError) {
        var storage: [UInt8] = []
        var ends: [UInt32] = [0]
        ends.reserveCapacity(vocabulary.count + 1)
        for token in 0..<UInt32(vocabulary.count) {
            try vocabulary.bytes(of: token, renderSpecial: false, into: &storage)
            ends.append(UInt32(storage.count))
        }
        self.storage = storage
        self.ends = ends
    }

    /// A table of its own making: piece `i` is token `i`.
    public init(pieces: [[UInt8]]) {
        storage = Array(pieces.joined())
        var ends: [UInt32] = [0]
        var end = 0
        for piece in pieces {
            end += piece.count
            ends.append(UInt32(end))
        }
        self.ends = ends
    }

    /// Number of tokens.
    public var count: Int { ends.count - 1 }

    /// Decodes one token.
    ///
    /// - Returns: false if there is no such token.
    func decode(_ token: UInt32, with detokenizer: inout IncrementalDetokenizer, into text: inout [UInt8]) -> Bool {
        guard token < count else { return false }
        let range = Int(ends[Int(token)])..<Int(ends[Int(token) + 1])
        detokenizer.push(storage.span.extracting(range), into: &text)
        return true
    }
}
