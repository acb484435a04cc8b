/// Makes the tokens of a rendered chat step by step, so that whoever calls can do something else in between.
///
/// Control tokens are recognised in the template's text only: a message that contains the characters `<|im_start|>`
/// gets the tokens of those characters. What stands between two control tokens is tokenized as one text, across the
/// border of template and message, because byte-pair merges cross it too.
public struct PiecewiseEncoding: Sendable {
    private enum Part: Sendable {
        case control(UInt32)
        /// Of `text`; never empty.
        case plain(Range<Int>)
    }

    /// The tokens so far.
    public private(set) var tokens: [UInt32]

    private let vocabulary: Vocabulary
    private let cuts: TextCuts
    private var text: [UInt8] = []
    private var parts: [Part] = []
    private var nextPart = 0
    private var position = 0
    private var pieceEnd = 0

    /// - Parameters:
    ///   - tokens: what goes before them.
    ///   - cuts: those of this vocabulary, or none.
    public init(_ segments: [ChatSegment], vocabulary: Vocabulary, cuts: TextCuts, after tokens: [UInt32] = []) {
        self.tokens = tokens
        self.vocabulary = vocabulary
        self.cuts = cuts
        text.reserveCapacity(segments.reduce(0) { $0 + $1.bytes.count })
        divide(segments)
        findPiece()
    }

    /// Whether ``tokens`` is complete.
    public var isComplete: Bool { nextPart == parts.count }

    /// Bytes that the next step cannot be interrupted in; 0 when nothing is left.
    public var nextBytes: Int { isComplete ? 0 : max(pieceEnd - position, min(cuts.pieceBytes, remainingBytes)) }

    /// Bytes of text without tokens yet.
    public var remainingBytes: Int { text.count - position }

    /// Goes on by one piece, or by several that are together no longer than one.
    public mutating func step() throws(LlamaError) {
        var done = 0
        while !isComplete {
            let length = pieceEnd - position
            if done > 0, done + length > cuts.pieceBytes { return }
            try vocabulary.encodePlain(text, position..<pieceEnd, into: &tokens)
            done += length
            position = pieceEnd
            if case .plain(let range) = parts[nextPart], position == range.upperBound { nextPart += 1 }
            findPiece()
        }
    }

    /// Takes the control tokens that come next, and finds where the piece after them ends.
    private mutating func findPiece() {
        while nextPart < parts.count {
            switch parts[nextPart] {
            case .control(let token):
                tokens.append(token)
                nextPart += 1
            case .plain(let range):
                position = max(position, range.lowerBound)
                pieceEnd = cuts.pieceEnd(in: text, from: position, to: range.upperBound)
                return
            }
        }
    }

    // MARK: Dividing

    private mutating func divide(_ segments: [ChatSegment]) {
        var start = 0
        var stripsNext = false
        for segment in segments {
            guard segment.origin == .template else {
                append(segment.bytes[...], stripping: &stripsNext)
                continue
            }
            var position = 0
            var plainStart = 0
            while position < segment.bytes.count {
                guard let token = vocabulary.markup.match(in: segment.bytes, at: position) else {
                    position += 1
                    continue
                }
                append(segment.bytes[plainStart..<position], stripping: &stripsNext)
                if token.stripsLeft {
                    while text.count > start, let last = text.last, Self.isSpace(last) { text.removeLast() }
                }
                endPlain(from: &start)
                parts.append(.control(token.id))
                stripsNext = token.stripsRight
                position += token.text.count
                plainStart = position
            }
            append(segment.bytes[plainStart...], stripping: &stripsNext)
        }
        endPlain(from: &start)
    }

    private mutating func endPlain(from start: inout Int) {
        if text.count > start { parts.append(.plain(start..<text.count)) }
        start = text.count
    }

    private mutating func append(_ bytes: ArraySlice<UInt8>, stripping: inout Bool) {
        guard stripping else {
            text += bytes
            return
        }
        let rest = bytes.drop(while: Self.isSpace)
        text += rest
        if !rest.isEmpty { stripping = false }
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte)
    }
}
