/// The bytes of one outgoing frame, in memory that is used again for the next.
public struct FrameBuffer: Sendable {
    /// The encoded frame; empty before the first and after `reset()`.
    public private(set) var bytes: [UInt8] = []

    /// - Parameter capacity: bytes to reserve at once; the buffer grows beyond them by itself.
    public init(capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    /// Forgets the frame and keeps the memory.
    public mutating func reset() {
        bytes.removeAll(keepingCapacity: true)
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

    /// Writes the header and the fixed block of a new frame; `fill` stores the block's fields at the block's offsets
    /// plus `FrameHeader.size`. The body length is set by `finish()`.
    @inline(__always)
    mutating func begin(_ header: FrameHeader, fill: (inout MutableRawSpan) -> Void) {
        reset()
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
            fill(&raw)
        }
    }

    /// Sets the header's body length once everything stands.
    mutating func finish() {
        let length = UInt32(truncatingIfNeeded: bytes.count - FrameHeader.size)
        var elements = bytes.mutableSpan
        var raw = MutableRawSpan(_elements: &elements)
        raw.put(length, at: 8)
    }

    /// Appends zeroed bytes and lets `fill` store into them.
    @inline(__always)
    mutating func append(byteCount: Int, fill: (inout MutableRawSpan) -> Void) {
        bytes.append(addingCapacity: byteCount) { output in
            output.append(repeating: 0, count: byteCount)
            var elements = output.mutableSpan
            var raw = MutableRawSpan(_elements: &elements)
            fill(&raw)
        }
    }

    mutating func append(count: Int) {
        append(byteCount: 4) { $0.put(UInt32(truncatingIfNeeded: count), at: 0) }
    }

    mutating func append(_ string: String) {
        append(count: string.utf8.count)
        bytes.append(contentsOf: string.utf8)
    }

    mutating func append(_ strings: [String]) {
        append(count: strings.count)
        for string in strings { append(string) }
    }

    mutating func append(_ run: [UInt8]) {
        append(count: run.count)
        bytes.append(contentsOf: run)
    }

    mutating func append(_ tokens: [UInt32]) {
        append(count: tokens.count)
        append(byteCount: 4 * tokens.count) { raw in
            // Offsets of just this form let the compiler move vectors.
            let source = tokens.span
            for index in source.indices { raw.put(source[index], at: 4 * index) }
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

    @inline(__always)
    mutating func put(_ value: Float, at offset: Int) {
        put(value.bitPattern, at: offset)
    }

    @inline(__always)
    mutating func put(_ value: Bool, at offset: Int) {
        put(value ? 1 as UInt8 : 0, at: offset)
    }
}
