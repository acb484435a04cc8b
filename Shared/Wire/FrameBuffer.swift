/// The bytes of one outgoing frame, in memory that is used again for the next.
public struct FrameBuffer: Sendable {
    /// The encoded frame; empty before the first and after `reset()`.
    public private(set) var bytes: [UInt8] = []
    /// Where the next part of the frame in the making goes. What lies behind is left of an earlier frame: it is
    /// overwritten, or cut off by `finish()`, and not cleared in between.
    private var end = 0

    /// - Parameter capacity: bytes to reserve at once; the buffer grows beyond them by itself.
    public init(capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    /// Forgets the frame and keeps the memory.
    public mutating func reset() {
        bytes.removeAll(keepingCapacity: true)
        end = 0
    }

    /// Overwrites the sequence number and the time of sending in the frame that stands here.
    /// Does nothing while there is none.
    public mutating func stamp(sequence: UInt64, sentAt: UInt64) {
        guard bytes.count >= FrameHeader.size else { return }
        var elements = bytes.mutableSpan
        var raw = MutableRawSpan(_elements: &elements)
        raw.put(sequence, at: 16)
        raw.put(sentAt, at: 24)
    }

    /// Overwrites the version in the frame that stands here: for kinds that are the same in all versions, when the
    /// session's is known later than the frame's content. Does nothing while there is none.
    public mutating func stamp(version: UInt8) {
        guard bytes.count >= FrameHeader.size else { return }
        bytes[2] = version
    }

    /// Writes the header and the zeroed fixed block of a new frame; `fill` stores the block's fields at the block's
    /// offsets plus `FrameHeader.size`. The body length is set by `finish()`.
    @inline(__always)
    mutating func begin(_ header: FrameHeader, fill: (inout MutableRawSpan) -> Void) {
        end = 0
        append(byteCount: FrameHeader.size + Int(header.blockLength)) { raw in
            raw.put(FrameHeader.magic, at: 0)
            raw.put(header.version, at: 2)
            raw.put(header.kind.rawValue, at: 3)
            raw.put(header.flags.rawValue, at: 4)
            raw.put(header.blockLength, at: 6)
            raw.put(UInt32(header.blockLength), at: 8)
            raw.put(header.session, at: 12)
            raw.put(header.sequence, at: 16)
            raw.put(header.sentAt, at: 24)
            // Every block is a multiple of 8 bytes.
            for offset in stride(from: FrameHeader.size, to: raw.byteCount - 7, by: 8) {
                raw.put(0 as UInt64, at: offset)
            }
            fill(&raw)
        }
    }

    /// Cuts off what lies behind the frame and sets the header's body length.
    mutating func finish() {
        if end < bytes.count { bytes.removeLast(bytes.count - end) }
        let length = UInt32(truncatingIfNeeded: end - FrameHeader.size)
        var elements = bytes.mutableSpan
        var raw = MutableRawSpan(_elements: &elements)
        raw.put(length, at: 8)
    }

    /// Appends bytes, every one of which `fill` must store.
    @inline(__always)
    mutating func append(byteCount: Int, fill: (inout MutableRawSpan) -> Void) {
        let begin = end
        end += byteCount
        if end > bytes.count { grow() }
        var elements = bytes.mutableSpan
        var all = MutableRawSpan(_elements: &elements)
        var raw = all._mutatingExtracting(begin..<(begin + byteCount))
        fill(&raw)
    }

    @inline(never)
    private mutating func grow() {
        let more = end - bytes.count
        bytes.append(addingCapacity: more) { $0.append(repeating: 0, count: more) }
    }

    mutating func append(count: Int) {
        append(byteCount: 4) { $0.put(UInt32(truncatingIfNeeded: count), at: 0) }
    }

    mutating func append(_ string: String) {
        let source = string.utf8.span
        append(byteCount: 4 + source.count) { raw in
            raw.put(UInt32(truncatingIfNeeded: source.count), at: 0)
            raw.put(source, at: 4)
        }
    }

    mutating func append(_ strings: [String]) {
        append(count: strings.count)
        for string in strings { append(string) }
    }

    mutating func append(_ run: [UInt8]) {
        append(count: run.count)
        append(byteCount: run.count) { raw in
            raw.put(run.span)
        }
    }

    mutating func append(_ tokens: [UInt32]) {
        append(count: tokens.count)
        append(byteCount: 4 * tokens.count) { raw in
            raw.put(tokens.span)
        }
    }

    mutating func append(_ biases: [LogitBias]) {
        append(count: biases.count)
        append(byteCount: biases.count * LogitBias.size) { raw in
            for (index, bias) in biases.enumerated() {
                raw.put(bias.token, at: index * LogitBias.size)
                raw.put(bias.bias, at: index * LogitBias.size + 4)
            }
        }
    }

    mutating func append(_ hops: [HopRecord]) {
        guard !hops.isEmpty else { return }
        append(byteCount: 4 + hops.count * HopRecord.size) { raw in
            raw.put(UInt32(truncatingIfNeeded: hops.count), at: 0)
            for (index, hop) in hops.enumerated() {
                let base = 4 + index * HopRecord.size
                raw.put(hop.handle, at: base)
                raw.put(hop.station.rawValue, at: base + 4)
                raw.put(hop.phase.rawValue, at: base + 5)
                raw.put(hop.uncertainty, at: base + 6)
                raw.put(hop.receivedAt, at: base + 8)
                raw.put(hop.begunAt, at: base + 16)
                raw.put(hop.sentAt, at: base + 24)
            }
        }
    }
}

extension MutableRawSpan {
    /// Stores an integer, little-endian.
    @inline(__always)
    mutating func put<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: Value.self)
    }

    /// Stores a run of bytes: eight at a time, the last eight overlapping those before them.
    @inline(__always)
    mutating func put(_ source: Span<UInt8>, at offset: Int) {
        guard source.count >= 8 else {
            for index in source.indices { put(source[index], at: offset + index) }
            return
        }
        let last = source.count - 8
        for index in stride(from: 0, to: last, by: 8) { put(source.word(at: index), at: offset + index) }
        put(source.word(at: last), at: offset + last)
    }

    /// Stores a run of bytes at the span's begin: a vector at a time.
    @inline(__always)
    mutating func put(_ source: Span<UInt8>) {
        let vectors = source.count / 64 * 64
        for index in stride(from: 0, to: vectors, by: 64) {
            let part = source.extracting(index..<(index + 64))
            let low = SIMD32(lowHalf: part.vector(at: 0), highHalf: part.vector(at: 16))
            let high = SIMD32(lowHalf: part.vector(at: 32), highHalf: part.vector(at: 48))
            storeBytes(of: SIMD64(lowHalf: low, highHalf: high), toByteOffset: index, as: SIMD64<UInt8>.self)
        }
        for index in vectors..<source.count { put(source[index], at: index) }
    }

    /// Stores a run of token ids at the span's begin: a vector at a time.
    @inline(__always)
    mutating func put(_ source: Span<UInt32>) {
        #if _endian(little)
            let vectors = source.count / 16 * 16
        #else
            let vectors = 0
        #endif
        for index in stride(from: 0, to: vectors, by: 16) {
            let part = source.extracting(index..<(index + 16))
            let ids = SIMD16<UInt32>(
                part[0], part[1], part[2], part[3], part[4], part[5], part[6], part[7], part[8], part[9], part[10],
                part[11], part[12], part[13], part[14], part[15])
            storeBytes(of: ids, toByteOffset: 4 * index, as: SIMD16<UInt32>.self)
        }
        for index in vectors..<source.count { put(source[index], at: 4 * index) }
    }

    @inline(__always)
    mutating func put(_ value: Float, at offset: Int) {
        put(value.bitPattern, at: offset)
    }

    @inline(__always)
    mutating func put(_ value: Bool, at offset: Int) {
        put(value ? 1 as UInt8 : 0, at: offset)
    }
}
