extension TokenBatch {
    /// Writes the frame.
    public func encode(
        into buffer: inout FrameBuffer, session: UInt32, sequence: UInt64 = 0, sentAt: UInt64 = 0,
        version: UInt8 = ProtocolVersion.current
    ) {
        let flags: FrameFlags = hops.isEmpty ? [] : .hops
        let header = FrameKind.tokenBatch.header(
            session: session, sequence: sequence, sentAt: sentAt, flags: flags, version: version)
        buffer.begin(header) { raw in
            raw.put(tray, at: 32)
            raw.put(UInt16(TokenRow.size), at: 40)
        }
        buffer.append(byteCount: 4 + rows.count * TokenRow.size) { raw in
            raw.put(UInt32(truncatingIfNeeded: rows.count), at: 0)
            let rows = rows.span
            for index in rows.indices {
                let row = rows[index]
                let base = 4 + index * TokenRow.size
                raw.put(row.digest, at: base)
                raw.put(row.handle, at: base + 8)
                raw.put(row.position, at: base + 12)
                raw.put(row.cachedTokens, at: base + 16)
                raw.put(row.tokenCount, at: base + 20)
                raw.put(row.status.written(in: version).rawValue, at: base + 22)
                raw.put(UInt32(row.finish.rawValue), at: base + 24)
            }
        }
        buffer.append(tokens)
        buffer.append(hops)
        buffer.finish()
    }

    public init(decoding frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        self.init()
        try decode(frame, header: header)
    }

    /// Replaces the content, and uses its memory again. After an error the content is of no use.
    ///
    /// The rows' token counts add up to the number of `tokens`.
    public mutating func decode(_ frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        var reader = try FrameReader(frame, header, .tokenBatch)
        tray = frame.u64(at: 32)
        let (count, rowLength) = try reader.rows(frame, minimum: TokenRow.size)
        let start = try reader.take(count * rowLength)
        var tokenCount = 0
        rows.removeAll(keepingCapacity: true)
        try rows.append(addingCapacity: count) { (output: inout OutputSpan<TokenRow>) throws(WireError) in
            for index in 0..<count {
                let base = start + index * rowLength
                let bytes = frame.extracting(base..<(base + TokenRow.size))
                let end = try bytes.rowEnd(from: base, version: header.version)
                let row = TokenRow(
                    handle: bytes.u32(at: 8), tokenCount: bytes.u16(at: 20),
                    finish: end.finish, status: end.status,
                    position: bytes.u32(at: 12), cachedTokens: bytes.u32(at: 16),
                    digest: bytes.u64(at: 0))
                tokenCount += Int(row.tokenCount)
                output.append(row)
            }
        }
        try reader.tokens(frame, into: &tokens, limit: WireLimits.trayTokens, exactly: tokenCount)
        try reader.hops(frame, header, into: &hops)
        try reader.finish()
    }
}

extension TextBatch {
    /// Writes the frame as `.textBatch` or as `.output`.
    public func encode(
        kind: FrameKind, into buffer: inout FrameBuffer, session: UInt32, sequence: UInt64 = 0, sentAt: UInt64 = 0,
        version: UInt8 = ProtocolVersion.current
    ) {
        let kind = kind == .output ? FrameKind.output : .textBatch
        let flags: FrameFlags = hops.isEmpty ? [] : .hops
        let header = kind.header(session: session, sequence: sequence, sentAt: sentAt, flags: flags, version: version)
        buffer.begin(header) { raw in
            raw.put(tray, at: 32)
            raw.put(UInt16(TextRow.size), at: 40)
        }
        buffer.append(byteCount: 4 + rows.count * TextRow.size) { raw in
            raw.put(UInt32(truncatingIfNeeded: rows.count), at: 0)
            let rows = rows.span
            for index in rows.indices {
                let row = rows[index]
                let base = 4 + index * TextRow.size
                raw.put(row.handle, at: base)
                raw.put(row.position, at: base + 4)
                raw.put(row.textLength, at: base + 8)
                raw.put(row.promptTokens, at: base + 12)
                raw.put(row.cachedTokens, at: base + 16)
                raw.put(row.tokenCount, at: base + 20)
                raw.put(row.status.written(in: version).rawValue, at: base + 22)
                raw.put(UInt32(row.finish.rawValue), at: base + 24)
            }
        }
        buffer.append(tokens)
        buffer.append(text)
        buffer.append(hops)
        buffer.finish()
    }

    public init(decoding frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        self.init()
        try decode(frame, header: header)
    }

    /// Replaces the content, and uses its memory again. After an error the content is of no use.
    ///
    /// The rows' token counts and text lengths add up to the numbers of `tokens` and of bytes in `text`.
    public mutating func decode(_ frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        guard header.kind == .textBatch || header.kind == .output else {
            throw WireError(
                .unexpectedKind, offset: 3, needed: UInt64(FrameKind.textBatch.rawValue),
                found: UInt64(header.kind.rawValue))
        }
        var reader = try FrameReader(frame, header)
        tray = frame.u64(at: 32)
        let (count, rowLength) = try reader.rows(frame, minimum: TextRow.size)
        let start = try reader.take(count * rowLength)
        var tokenCount = 0
        var textLength = 0
        rows.removeAll(keepingCapacity: true)
        try rows.append(addingCapacity: count) { (output: inout OutputSpan<TextRow>) throws(WireError) in
            for index in 0..<count {
                let base = start + index * rowLength
                let bytes = frame.extracting(base..<(base + TextRow.size))
                let end = try bytes.rowEnd(from: base, version: header.version)
                let row = TextRow(
                    handle: bytes.u32(at: 0), tokenCount: bytes.u16(at: 20),
                    finish: end.finish, status: end.status,
                    position: bytes.u32(at: 4), textLength: bytes.u32(at: 8),
                    promptTokens: bytes.u32(at: 12), cachedTokens: bytes.u32(at: 16))
                tokenCount += Int(row.tokenCount)
                textLength += Int(row.textLength)
                output.append(row)
            }
        }
        try reader.tokens(frame, into: &tokens, limit: WireLimits.trayTokens, exactly: tokenCount)
        try reader.bytes(frame, into: &text, exactly: textLength)
        try reader.hops(frame, header, into: &hops)
        try reader.finish()
    }
}

extension Span<UInt8> {
    /// Status, finish and reserved bytes, which end a row of either kind. In most rows, which go on, all are 0.
    @inline(__always)
    fileprivate func rowEnd(
        from base: Int, version: UInt8
    ) throws(WireError) -> (finish: FinishReason, status: Status) {
        if u16(at: 22) == 0, u32(at: 24) == 0 { return (.none, .ok) }
        let finish: FinishReason = try value(at: 24, from: base)
        let status = try status(at: 22, from: base, version: version)
        try reserved(at: 25, count: 3, from: base)
        return (finish, status)
    }
}

extension TokenRow {
    /// Encoded size in bytes.
    static let size = 28
}

extension TextRow {
    /// Encoded size in bytes.
    static let size = 28
}

extension FrameReader {
    /// Reads a tray's row length from its fixed block and the number of rows from their part.
    fileprivate mutating func rows(
        _ frame: Span<UInt8>, minimum: Int
    ) throws(WireError) -> (count: Int, rowLength: Int) {
        let rowLength = Int(frame.u16(at: 40))
        guard rowLength >= minimum else {
            throw WireError(.blockTooShort, offset: 40, needed: minimum, found: rowLength)
        }
        try frame.reserved(at: 42, count: 6)
        return (try count(frame, stride: rowLength, limit: WireLimits.rows), rowLength)
    }
}
