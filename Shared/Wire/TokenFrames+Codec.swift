extension Tokenize {
    /// Writes the frame, or throws `.overLimit` when its texts or tokens are over `WireLimits`.
    public func encode(
        into buffer: inout FrameBuffer, session: UInt32, sequence: UInt64 = 0, sentAt: UInt64 = 0
    ) throws(WireError) {
        try check(tenant.utf8.count, limit: WireLimits.nameBytes)
        try check(model.utf8.count, limit: WireLimits.nameBytes)
        try check(strings.count, limit: WireLimits.promptStrings)
        for string in strings { try check(string.utf8.count, limit: WireLimits.stringBytes) }
        try check(tokens.count, limit: WireLimits.promptTokens)
        try check(template.arguments.utf8.count, limit: WireLimits.templateArgumentBytes)
        buffer.begin(FrameKind.tokenize.header(session: session, sequence: sequence, sentAt: sentAt)) { raw in
            raw.put(number, at: 32)
            raw.put(timeLeft, at: 40)
            raw.put(weight, at: 48)
            raw.put(form.rawValue, at: 52)
            raw.put(addsSpecialTokens, at: 53)
            raw.put(wantsPieces, at: 54)
            raw.put(template.flags, at: 55)
        }
        buffer.append(tenant)
        buffer.append(model)
        buffer.append(strings)
        buffer.append(tokens)
        buffer.append(template.arguments)
        try buffer.finishChecked()
    }

    public init(decoding frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        var reader = try FrameReader(frame, header, .tokenize)
        self.init(
            number: frame.u64(at: 32), timeLeft: frame.u64(at: 40), weight: frame.u32(at: 48),
            form: try frame.form(at: 52, version: header.version), addsSpecialTokens: try frame.bool(at: 53),
            wantsPieces: try frame.bool(at: 54), tenant: "", model: "")
        try template.read(flags: frame, at: 55)
        try frame.reserved(at: 63, count: 1)
        try reader.string(frame, into: &tenant)
        try reader.string(frame, into: &model)
        try reader.strings(frame, into: &strings, limit: WireLimits.promptStrings)
        try reader.tokens(frame, into: &tokens)
        try reader.string(frame, into: &template.arguments, limit: WireLimits.templateArgumentBytes)
        try reader.finish()
    }
}

extension Tokenized {
    /// Writes the frame, or throws `.overLimit` when it would be larger than a frame may be.
    public func encode(
        into buffer: inout FrameBuffer, session: UInt32, sequence: UInt64 = 0, sentAt: UInt64 = 0
    ) throws(WireError) {
        try check(tokens.count, limit: WireLimits.promptTokens)
        try check(ends.count, limit: WireLimits.promptTokens)
        try check(text.count, limit: WireLimits.frameBytes)
        buffer.begin(FrameKind.tokenized.header(session: session, sequence: sequence, sentAt: sentAt)) { raw in
            raw.put(number, at: 32)
            raw.put(status.rawValue, at: 40)
            raw.put(contextLength, at: 44)
        }
        buffer.append(tokens)
        buffer.append(ends)
        buffer.append(text)
        try buffer.finishChecked()
    }

    public init(decoding frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        var reader = try FrameReader(frame, header, .tokenized)
        self.init(
            number: frame.u64(at: 32), status: try frame.status(at: 40, version: header.version),
            contextLength: frame.u32(at: 44))
        try frame.reserved(at: 42, count: 2)
        try frame.reserved(at: 48, count: 8)
        try reader.tokens(frame, into: &tokens)
        try reader.tokens(frame, into: &ends)
        try reader.bytes(frame, into: &text)
        try reader.finish()
        guard !ends.isEmpty else { return }
        // Every token has a text, one after the other, and nothing else is in it.
        guard ends.count == tokens.count else {
            throw WireError(
                .inconsistent, offset: FrameHeader.size + 24, needed: tokens.count, found: ends.count)
        }
        var last: UInt32 = 0
        for end in ends {
            guard end >= last else {
                throw WireError(.inconsistent, offset: FrameHeader.size + 24, needed: Int(last), found: Int(end))
            }
            last = end
        }
        guard Int(last) == text.count else {
            throw WireError(.inconsistent, offset: FrameHeader.size + 24, needed: text.count, found: Int(last))
        }
    }
}
