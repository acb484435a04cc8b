/// Walks the variable parts of one frame: a position only, so that it needs no lifetime; the frame's bytes are given
/// to each call.
struct FrameReader {
    private var offset: Int
    /// Length of the frame.
    private let end: Int

    /// Begins after the fixed block, which is at least as long as the first version of the kind demands.
    init(_ frame: Span<UInt8>, _ header: FrameHeader, _ kind: FrameKind) throws(WireError) {
        guard header.kind == kind else {
            throw WireError(
                .unexpectedKind, offset: 3, needed: UInt64(kind.rawValue), found: UInt64(header.kind.rawValue))
        }
        try self.init(frame, header)
    }

    init(_ frame: Span<UInt8>, _ header: FrameHeader) throws(WireError) {
        end = frame.count
        offset = FrameHeader.size + Int(header.blockLength)
        guard end == FrameHeader.size + Int(header.bodyLength) else {
            throw WireError(
                .bodyLength, offset: min(8, end), needed: UInt64(header.bodyLength),
                found: UInt64(max(0, end - FrameHeader.size)))
        }
        guard Int(header.blockLength) >= header.kind.minimumBlockLength, offset <= end else {
            throw WireError(
                .blockTooShort, offset: 6, needed: header.kind.minimumBlockLength, found: Int(header.blockLength))
        }
    }

    /// Nothing may be left.
    func finish() throws(WireError) {
        guard offset == end else {
            throw WireError(.trailingBytes, offset: offset, needed: 0, found: end - offset)
        }
    }

    /// Moves on by `byteCount` and returns where they begin.
    @inline(__always)
    mutating func take(_ byteCount: Int) throws(WireError) -> Int {
        guard byteCount <= end - offset else {
            throw WireError(.truncated, offset: offset, needed: byteCount, found: end - offset)
        }
        defer { offset += byteCount }
        return offset
    }

    /// Reads the count that begins a part. Its elements, `stride` bytes each or more, fit in the rest of the frame.
    mutating func count(_ frame: Span<UInt8>, stride: Int, limit: Int) throws(WireError) -> Int {
        let at = try take(4)
        let count = Int(frame.extracting(at..<(at + 4)).u32(at: 0))
        // In this order: what is over a limit is there, and its sender can be told so.
        guard count * stride <= end - offset else {
            throw WireError(.truncated, offset: at, needed: count * stride, found: end - offset)
        }
        guard count <= limit else { throw WireError(.overLimit, offset: at, needed: limit, found: count) }
        return count
    }

    /// Reads a string, and leaves `string` as it is when it is that string already.
    mutating func string(
        _ frame: Span<UInt8>, into string: inout String, limit: Int = WireLimits.nameBytes
    ) throws(WireError) {
        let count = try count(frame, stride: 1, limit: limit)
        let start = try take(count)
        if count <= WireLimits.nameBytes, string.utf8.count == count, frame.matches(string, at: start) { return }
        do {
            string = String(copying: try UTF8Span(validating: frame.extracting(start..<(start + count))))
        } catch {
            throw WireError(.invalidUTF8, offset: start, needed: 0, found: count)
        }
    }

    mutating func strings(_ frame: Span<UInt8>, into strings: inout [String], limit: Int) throws(WireError) {
        let count = try count(frame, stride: 4, limit: limit)
        strings.removeAll(keepingCapacity: true)
        strings.reserveCapacity(count)
        for _ in 0..<count {
            var string = ""
            try self.string(frame, into: &string, limit: WireLimits.stringBytes)
            strings.append(string)
        }
    }

    /// Reads a token run, whose length the rows before it may have fixed.
    mutating func tokens(
        _ frame: Span<UInt8>, into tokens: inout [UInt32], limit: Int = WireLimits.promptTokens,
        exactly needed: Int? = nil
    ) throws(WireError) {
        let at = offset
        let count = try count(frame, stride: 4, limit: limit)
        if let needed, count != needed {
            throw WireError(.inconsistent, offset: at, needed: needed, found: count)
        }
        let start = try take(4 * count)
        tokens.resize(to: count)
        tokens.copyBytes(of: frame.extracting(start..<(start + 4 * count)))
        #if _endian(big)
            for index in tokens.indices { tokens[index] = UInt32(littleEndian: tokens[index]) }
        #endif
    }

    /// Reads a byte run, whose length the rows before it have fixed.
    mutating func bytes(
        _ frame: Span<UInt8>, into bytes: inout [UInt8], exactly needed: Int
    ) throws(WireError) {
        let at = offset
        let count = try count(frame, stride: 1, limit: WireLimits.frameBytes)
        guard count == needed else {
            throw WireError(.inconsistent, offset: at, needed: needed, found: count)
        }
        let start = try take(count)
        bytes.resize(to: count)
        bytes.copyBytes(of: frame.extracting(start..<(start + count)))
    }

    /// Reads a byte run of any length.
    mutating func bytes(_ frame: Span<UInt8>, into bytes: inout [UInt8]) throws(WireError) {
        let count = try count(frame, stride: 1, limit: WireLimits.frameBytes)
        let start = try take(count)
        bytes.resize(to: count)
        bytes.copyBytes(of: frame.extracting(start..<(start + count)))
    }

    mutating func biases(_ frame: Span<UInt8>, into biases: inout [LogitBias]) throws(WireError) {
        let count = try count(frame, stride: LogitBias.size, limit: WireLimits.logitBiases)
        biases.removeAll(keepingCapacity: true)
        for _ in 0..<count {
            let base = try take(LogitBias.size)
            let entry = frame.extracting(base..<(base + LogitBias.size))
            biases.append(LogitBias(token: entry.u32(at: 0), bias: entry.f32(at: 4)))
        }
    }

    /// Reads the hop records, which are there when the flag is set and are then one at least.
    mutating func hops(_ frame: Span<UInt8>, _ header: FrameHeader, into hops: inout [HopRecord]) throws(WireError) {
        hops.removeAll(keepingCapacity: true)
        guard header.flags.contains(.hops) else { return }
        let at = offset
        let count = try count(frame, stride: HopRecord.size, limit: WireLimits.hopRecords)
        guard count > 0 else { throw WireError(.inconsistent, offset: at, needed: 1, found: 0) }
        hops.reserveCapacity(count)
        for _ in 0..<count {
            let base = try take(HopRecord.size)
            let record = frame.extracting(base..<(base + HopRecord.size))
            hops.append(
                HopRecord(
                    handle: record.u32(at: 0), station: try record.value(at: 4, from: base),
                    phase: try record.value(at: 5, from: base), uncertainty: record.u16(at: 6),
                    receivedAt: record.u64(at: 8), begunAt: record.u64(at: 16), sentAt: record.u64(at: 24)))
        }
    }
}

extension Array where Element: FixedWidthInteger & BitwiseCopyable {
    /// Sets the number of elements; those that were there keep their values, so that nothing is cleared twice.
    fileprivate mutating func resize(to count: Int) {
        guard count != self.count else { return }
        if count < self.count {
            removeLast(self.count - count)
        } else {
            let more = count - self.count
            append(addingCapacity: more) { $0.append(repeating: 0, count: more) }
        }
    }

    /// Copies `run` over the array's memory, whose size it has.
    fileprivate mutating func copyBytes(of run: Span<UInt8>) {
        var elements = mutableSpan
        var raw = MutableRawSpan(_elements: &elements)
        raw.put(run)
    }
}

extension LogitBias {
    /// Encoded size in bytes.
    static let size = 8
}

extension HopRecord {
    /// Encoded size in bytes.
    static let size = 32
}

extension Span<UInt8> {
    @inline(__always)
    func u16(at offset: Int) -> UInt16 {
        UInt16(self[offset]) | UInt16(self[offset + 1]) << 8
    }

    @inline(__always)
    func u32(at offset: Int) -> UInt32 {
        UInt32(self[offset]) | UInt32(self[offset + 1]) << 8 | UInt32(self[offset + 2]) << 16
            | UInt32(self[offset + 3]) << 24
    }

    @inline(__always)
    func u64(at offset: Int) -> UInt64 {
        UInt64(u32(at: offset)) | UInt64(u32(at: offset + 4)) << 32
    }

    /// Sixteen bytes, which the compiler loads at once.
    @inline(__always)
    func vector(at offset: Int) -> SIMD16<UInt8> {
        SIMD16<UInt8>(
            self[offset], self[offset + 1], self[offset + 2], self[offset + 3], self[offset + 4], self[offset + 5],
            self[offset + 6], self[offset + 7], self[offset + 8], self[offset + 9], self[offset + 10],
            self[offset + 11], self[offset + 12], self[offset + 13], self[offset + 14], self[offset + 15])
    }

    /// Eight bytes behind one check, where the span's length is not known to the compiler.
    @inline(__always)
    func word(at offset: Int) -> UInt64 { extracting(offset..<(offset + 8)).u64(at: 0) }

    @inline(__always)
    func f32(at offset: Int) -> Float {
        Float(bitPattern: u32(at: offset))
    }

    /// A truth value: 0 or 1.
    @inline(__always)
    func bool(at offset: Int) throws(WireError) -> Bool {
        let byte = self[offset]
        guard byte <= 1 else { throw WireError(.invalidValue, offset: offset, needed: 1, found: UInt64(byte)) }
        return byte == 1
    }

    /// A known enumerator of one byte. `base` is where these bytes begin in the frame, for the error.
    @inline(__always)
    func value<Value: RawRepresentable<UInt8>>(at offset: Int, from base: Int = 0) throws(WireError) -> Value {
        let byte = self[offset]
        guard let value = Value(rawValue: byte) else {
            throw WireError(.invalidValue, offset: base + offset, found: UInt64(byte))
        }
        return value
    }

    /// A known enumerator of two bytes.
    @inline(__always)
    func value<Value: RawRepresentable<UInt16>>(at offset: Int, from base: Int = 0) throws(WireError) -> Value {
        let raw = u16(at: offset)
        guard let value = Value(rawValue: raw) else {
            throw WireError(.invalidValue, offset: base + offset, found: UInt64(raw))
        }
        return value
    }

    /// A status that the frame's version knows.
    @inline(__always)
    func status(at offset: Int, from base: Int = 0, version: UInt8) throws(WireError) -> Status {
        let status: Status = try value(at: offset, from: base)
        guard status.written(in: version) == status else {
            throw WireError(.invalidValue, offset: base + offset, found: UInt64(status.rawValue))
        }
        return status
    }

    /// A form of prompt that the frame's version knows.
    func form(at offset: Int, version: UInt8) throws(WireError) -> PromptForm {
        let form: PromptForm = try value(at: offset)
        guard version >= 2 || form != .messages else {
            throw WireError(.invalidValue, offset: offset, found: UInt64(form.rawValue))
        }
        return form
    }

    /// Reserved bytes are 0.
    @inline(__always)
    func reserved(at offset: Int, count: Int, from base: Int = 0) throws(WireError) {
        for index in offset..<(offset + count) where self[index] != 0 {
            throw WireError(.invalidValue, offset: base + index, needed: 0, found: UInt64(self[index]))
        }
    }

    /// Whether the string's bytes stand at `offset`.
    @inline(__always)
    func matches(_ string: String, at offset: Int) -> Bool {
        let bytes = string.utf8.span
        let own = extracting(offset..<(offset + bytes.count))
        guard bytes.count >= 8 else {
            for index in bytes.indices where bytes[index] != own[index] { return false }
            return true
        }
        // Eight at a time, the last eight overlapping those before them.
        let last = bytes.count - 8
        for index in stride(from: 0, to: last, by: 8) where bytes.word(at: index) != own.word(at: index) {
            return false
        }
        return bytes.word(at: last) == own.word(at: last)
    }
}
