extension Vocabulary {
    /// Appends the tokens of a rendered chat to `tokens`.
    ///
    /// Control tokens are recognised in the template's text only: a message that contains the characters
    /// `<|im_start|>` gets the tokens of those characters. What stands between two control tokens is tokenized as one
    /// text, across the border of template and message, because byte-pair merges cross it too.
    public func encode(_ segments: [ChatSegment], into tokens: inout [UInt32]) throws(LlamaError) {
        var text: [UInt8] = []
        var stripsNext = false
        for segment in segments {
            guard segment.origin == .template else {
                append(segment.bytes[...], to: &text, stripping: &stripsNext)
                continue
            }
            var position = 0
            var plainStart = 0
            while position < segment.bytes.count {
                guard let token = markup.match(in: segment.bytes, at: position) else {
                    position += 1
                    continue
                }
                append(segment.bytes[plainStart..<position], to: &text, stripping: &stripsNext)
                if token.stripsLeft {
                    while let last = text.last, Self.isSpace(last) { text.removeLast() }
                }
                try encodePlain(text, into: &tokens)
                text.removeAll(keepingCapacity: true)
                tokens.append(token.id)
                stripsNext = token.stripsRight
                position += token.text.count
                plainStart = position
            }
            append(segment.bytes[plainStart...], to: &text, stripping: &stripsNext)
        }
        try encodePlain(text, into: &tokens)
    }

    private func append(_ bytes: ArraySlice<UInt8>, to text: inout [UInt8], stripping: inout Bool) {
        guard stripping else {
            text += bytes
            return
        }
        let rest = bytes.drop(while: Self.isSpace)
        text += rest
        if !rest.isEmpty { stripping = false }
    }

    /// Tokenizes text in which nothing is a control token. libllama finds tokens that a model's makers added in any
    /// text; those among them that look like control tokens are kept from being found by cutting after their first byte.
    private func encodePlain(_ text: [UInt8], into tokens: inout [UInt32]) throws(LlamaError) {
        guard !text.isEmpty else { return }
        var start = 0
        if markup.hasLookAlikes {
            for position in text.indices {
                if let token = markup.match(in: text, at: position), !token.isControl {
                    try tokenize(
                        text.span.extracting(start...position), parseSpecial: false, addSpecial: false, into: &tokens)
                    start = position + 1
                }
            }
        }
        try tokenize(text.span.extracting(start...), parseSpecial: false, addSpecial: false, into: &tokens)
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte)
    }
}
