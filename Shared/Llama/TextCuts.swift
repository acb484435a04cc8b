import CLlama

/// Where a text may be cut so that the tokens of its pieces are those of the whole.
///
/// A cut goes between an ASCII letter or digit and a space or line feed after it, and only where no token of the
/// vocabulary has such a pair in it: then no merge crosses the cut. Splitting into words before merging does not see it
/// either, since no pre-tokenizer of libllama looks ahead or back over that border, and a word that could go on across
/// it (some models have words with spaces in them) still has its merges on either side. Vocabularies whose way of
/// splitting is not known, that add a space before each text, or whose tokens take white space with them, get no cuts.
public struct TextCuts: Sendable {
    /// A piece has at most so many bytes, unless there is no place to cut. So many take about four milliseconds.
    public var pieceBytes: Int

    private let cutsAtSpace: Bool
    private let cutsAtLineFeed: Bool

    /// No cuts: every text is one piece.
    public static let none = TextCuts(pieceBytes: .max, cutsAtSpace: false, cutsAtLineFeed: false)

    init(pieceBytes: Int, cutsAtSpace: Bool, cutsAtLineFeed: Bool) {
        self.pieceBytes = pieceBytes
        self.cutsAtSpace = cutsAtSpace
        self.cutsAtLineFeed = cutsAtLineFeed
    }

    /// Whether there are any.
    public var isPossible: Bool { cutsAtSpace || cutsAtLineFeed }

    /// Where the piece that begins at `start` ends, in a text that ends at `end`.
    func pieceEnd(in text: [UInt8], from start: Int, to end: Int) -> Int {
        guard isPossible, end - start > pieceBytes else { return end }
        let wanted = start + pieceBytes
        var position = wanted
        while position > start {
            if isCut(text, position) { return position }
            position -= 1
        }
        position = wanted + 1
        while position < end {
            if isCut(text, position) { return position }
            position += 1
        }
        return end
    }

    /// Whether a piece may end before `position`, which is neither the text's first nor beyond its last.
    func isCut(_ text: [UInt8], _ position: Int) -> Bool {
        guard position > 0 else { return false }
        switch text[position] {
        case 0x20 where cutsAtSpace, 0x0A where cutsAtLineFeed: return Self.isWord(text[position - 1])
        default: return false
        }
    }

    static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }
}

extension Vocabulary {
    /// Looks where texts may be cut. Reads all tokens: for the start of a program.
    ///
    /// - Parameter pieceBytes: see ``TextCuts/pieceBytes``.
    public func findCuts(pieceBytes: Int = 16 << 10) throws(LlamaError) -> TextCuts {
        guard countsEveryByte, Self.knownKinds.contains(kind) else { return .none }
        var crosses = (space: false, lineFeed: false)
        var bytes: [UInt8] = []
        for token in 0..<UInt32(count) where !isControl(token) {
            bytes.removeAll(keepingCapacity: true)
            try self.bytes(of: token, renderSpecial: true, into: &bytes)
            for index in bytes.indices.dropFirst() where TextCuts.isWord(bytes[index - 1]) {
                // Some vocabularies write a space as U+2581.
                if bytes[index] == 0x20 || bytes[index...].starts(with: [0xE2, 0x96, 0x81]) { crosses.space = true }
                if bytes[index] == 0x0A { crosses.lineFeed = true }
            }
        }
        let cuts = TextCuts(
            pieceBytes: pieceBytes, cutsAtSpace: !crosses.space, cutsAtLineFeed: !crosses.lineFeed)
        guard cuts.isPossible, try provesTrue(cuts) else { return .none }
        return cuts
    }

    /// Of `tokenizer.ggml.model`: those whose splitting is by regular expression, or none at all.
    private static let knownKinds = ["gpt2", "llama", "gemma4"]

    /// Tokenizes a sample whole and cut everywhere. A vocabulary that puts a space before each text is found out here.
    private func provesTrue(_ cuts: TextCuts) throws(LlamaError) -> Bool {
        let sample = Array("one two\nthree  4567 89\n\n\tif x1 {\n    y = 'don't'\n}\n it's\r\n A B \n c".utf8)
        var whole: [UInt32] = []
        var pieces: [UInt32] = []
        try tokenize(sample.span, parseSpecial: false, addSpecial: false, into: &whole)
        var start = 0
        for position in sample.indices.dropFirst() where cuts.isCut(sample, position) {
            try tokenize(
                sample.span.extracting(start..<position), parseSpecial: false, addSpecial: false, into: &pieces)
            start = position
        }
        try tokenize(sample.span.extracting(start...), parseSpecial: false, addSpecial: false, into: &pieces)
        return whole == pieces
    }
}
