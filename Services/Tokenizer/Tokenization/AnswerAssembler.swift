/// Why an answer cannot go on. Either means that some station broke the protocol.
public enum AnswerError: Error, Equatable, Sendable {
    /// A token id that the vocabulary does not have.
    case unknownToken(UInt32)
    /// More text was delivered than the tokens that are said to have made it give.
    case deliveredBeyondText(delivered: UInt64, text: UInt64)
}

/// Makes the text of one answer from its tokens: whole characters, up to a stop string or a stop token.
///
/// The text is a function of the tokens, what stops it and the minimum alone. So an answer can go on elsewhere:
/// made from the tokens so far and the number of bytes that were delivered (``AnswerResumption``), a value gives the same
/// bytes that the old one would have given.
public struct AnswerAssembler: Sendable {
    /// What one call of ``push(_:table:into:)`` took.
    public struct Progress: Equatable, Sendable {
        /// How many of the tokens belong to the answer: all, or those up to the one that completes a stop string or is a stop token.
        public var tokensTaken: Int
        /// Whether one was found: the answer has ended. After a stop token ``AnswerAssembler/finish(into:)`` gives the
        /// last text; after a stop string nothing is left.
        public var isStopped: Bool
    }

    private var detokenizer = IncrementalDetokenizer()
    private var matcher: StopMatcher
    private let stopTokens: [UInt32]
    private let minimumTokens: Int
    private var hasStopToken = false
    /// Text of a resumed answer that the client does not have yet.
    private var carried: [UInt8] = []
    private var decoded: [UInt8] = []

    /// Tokens of the answer so far, resumed ones included.
    public private(set) var tokenCount = 0
    /// Bytes of text given out, those that were delivered before a resumption included.
    public private(set) var byteCount: UInt64 = 0
    /// Whether a stop string or a stop token was found.
    public var isStopped: Bool { matcher.isStopped || hasStopToken }

    /// - Parameters:
    ///   - stops: a few (the wire has room for 16): the time per byte grows with their number.
    ///   - stopTokens: ids that end the answer; they count as tokens of it and give no text.
    ///   - minimumTokens: stop strings that are complete within so many tokens, and stop tokens among them, do not
    ///     count.
    public init(stops: [String] = [], stopTokens: [UInt32] = [], minimumTokens: Int = 0) {
        matcher = StopMatcher(stops)
        self.stopTokens = stopTokens
        self.minimumTokens = minimumTokens
    }

    /// Stop strings that are looked for.
    var stopCount: Int { matcher.count }

    /// Gives out again, before anything else, what its reader lacks of the text so far.
    mutating func goOn(from deliveredBytes: UInt64, of text: [UInt8]) throws(AnswerError) {
        guard deliveredBytes <= byteCount else {
            throw .deliveredBeyondText(delivered: deliveredBytes, text: byteCount)
        }
        carried = Array(text.dropFirst(Int(clamping: deliveredBytes)))
        byteCount = deliveredBytes
    }

    /// Takes the next tokens and appends to `text` what can be given out. After the end it takes nothing.
    public mutating func push(
        _ tokens: Span<UInt32>, table: TokenTable, into text: inout [UInt8]
    ) throws(AnswerError) -> Progress {
        let before = text.count
        defer { byteCount += UInt64(text.count - before) }
        giveCarried(into: &text)

        var taken = 0
        while taken < tokens.count && !isStopped {
            let token = tokens[taken]
            if !stopTokens.isEmpty, tokenCount >= minimumTokens, stopTokens.contains(token) {
                guard token < table.count else { throw .unknownToken(token) }
                hasStopToken = true
                taken += 1
                tokenCount += 1
                break
            }
            let isKnown: Bool
            if matcher.isEmpty {
                isKnown = table.decode(token, with: &detokenizer, into: &text)
            } else {
                decoded.removeAll(keepingCapacity: true)
                isKnown = table.decode(token, with: &detokenizer, into: &decoded)
                matcher.push(decoded, mayStop: tokenCount >= minimumTokens, into: &text)
            }
            guard isKnown else { throw .unknownToken(token) }
            taken += 1
            tokenCount += 1
        }
        return Progress(tokensTaken: taken, isStopped: isStopped)
    }

    /// Ends the answer for another reason than a stop string, and appends what was held back to `text`.
    public mutating func finish(into text: inout [UInt8]) {
        let before = text.count
        defer { byteCount += UInt64(text.count - before) }
        giveCarried(into: &text)
        guard !matcher.isStopped else { return }
        decoded.removeAll(keepingCapacity: true)
        detokenizer.flush(into: &decoded)
        matcher.push(decoded, mayStop: tokenCount > minimumTokens, into: &text)
        matcher.flush(into: &text)
    }

    private mutating func giveCarried(into text: inout [UInt8]) {
        guard !carried.isEmpty else { return }
        text += carried
        carried = []
    }
}
