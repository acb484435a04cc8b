extension Vocabulary {
    /// Appends the tokens of a rendered chat to `tokens`, as ``PiecewiseEncoding`` makes them, in one go.
    public func encode(_ segments: [ChatSegment], into tokens: inout [UInt32]) throws(LlamaError) {
        var encoding = PiecewiseEncoding(segments, vocabulary: self, cuts: .none, after: tokens)
        while !encoding.isComplete { try encoding.step() }
        tokens = encoding.tokens
    }

    /// Tokenizes a part of a text in which nothing is a control token. libllama finds tokens that a model's makers added
    /// in any text; those among them that look like control tokens are kept from being found by cutting after their
    /// first byte.
    func encodePlain(_ text: [UInt8], _ range: Range<Int>, into tokens: inout [UInt32]) throws(LlamaError) {
        guard !range.isEmpty else { return }
        var start = range.lowerBound
        if markup.hasLookAlikes {
            for position in range {
                if let token = markup.match(in: text, at: position), !token.isControl {
                    try tokenize(
                        text.span.extracting(start...position), parseSpecial: false, addSpecial: false, into: &tokens)
                    start = position + 1
                }
            }
        }
        guard start < range.upperBound else { return }
        try tokenize(
            text.span.extracting(start..<range.upperBound), parseSpecial: false, addSpecial: false, into: &tokens)
    }
}
