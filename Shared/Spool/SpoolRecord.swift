import Wire

/// Forms on disk. A segment is a header of 28 bytes (`TFSPOOL1`, epoch, number of the first record, CRC-32 of these)
/// and records; a record is a length, a CRC-32, and a wire frame `record` with one event and its number. All
/// little-endian.
enum SpoolRecord {
    static let headerSize = 28
    static let prefixSize = 8
    static let maximumLength: UInt32 = 65_536
    private static let magic = Array("TFSPOOL1".utf8)

    static func header(epoch: UInt64, first: UInt64) -> [UInt8] {
        var bytes = magic
        append(epoch, to: &bytes)
        append(first, to: &bytes)
        append(Checksum.of(bytes), to: &bytes)
        return bytes
    }

    /// Nil when the bytes are not a segment's header.
    static func parseHeader(_ bytes: ArraySlice<UInt8>) -> (epoch: UInt64, first: UInt64)? {
        guard bytes.count == headerSize, bytes.prefix(8).elementsEqual(magic),
            Checksum.of(bytes.prefix(24)) == integer(bytes.dropFirst(24), UInt32.self)
        else { return nil }
        return (integer(bytes.dropFirst(8).prefix(8), UInt64.self), integer(bytes.dropFirst(16).prefix(8), UInt64.self))
    }

    static func append(_ event: LedgerEvent, number: UInt64, to bytes: inout [UInt8], using frame: inout FrameBuffer) {
        // Of version 1 where that says all: an accounting that is not upgraded yet can then take the spool over.
        let isPlain = event.label.isEmpty && event.status.written(in: 1) == event.status
        // The next record's length is to stand at a multiple of 4 bytes.
        let odd = event.tenant.utf8.count + event.model.utf8.count + event.worker.utf8.count + event.label.utf8.count
        RecordBatch(first: number, events: [event]).encode(
            into: &frame, session: 0, version: isPlain ? 1 : ProtocolVersion.current, padding: (4 - odd % 4) % 4)
        append(UInt32(frame.bytes.count), to: &bytes)
        append(Checksum.of(frame.bytes), to: &bytes)
        bytes.append(contentsOf: frame.bytes)
    }

    /// Bytes of a record without a label whose names have so many together, at most.
    static func room(names: Int) -> Int { prefixSize + 160 + names }

    enum Parsed {
        case record(RecordBatch, size: Int)
        /// Whole, but not what was written.
        case damaged(size: Int)
        /// More bytes are needed; at the end of a file this is a torn write.
        case incomplete
        /// No record begins here.
        case noRecord
        /// No record begins here, and none was written.
        case unwritten
    }

    static func parse(_ bytes: ArraySlice<UInt8>) -> Parsed {
        guard bytes.count >= prefixSize else { return .incomplete }
        let length = integer(bytes.prefix(4), UInt32.self)
        guard length > 0 else { return .unwritten }
        guard length <= maximumLength else { return .noRecord }
        let size = prefixSize + Int(length)
        guard bytes.count >= size else { return .incomplete }
        let frame = Array(bytes.dropFirst(prefixSize).prefix(Int(length)))
        guard Checksum.of(frame) == integer(bytes.dropFirst(4).prefix(4), UInt32.self),
            let batch = decode(frame), batch.events.count == 1
        else { return .damaged(size: size) }
        return .record(batch, size: size)
    }

    private static func decode(_ frame: [UInt8]) -> RecordBatch? {
        do {
            let header = try FrameHeader.decode(frame.span)
            return try RecordBatch(decoding: frame.span, header: header)
        } catch {
            return nil
        }
    }

    private static func append<Value: FixedWidthInteger>(_ value: Value, to bytes: inout [UInt8]) {
        for shift in stride(from: 0, to: Value.bitWidth, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> Value(shift)))
        }
    }

    private static func integer<Value: FixedWidthInteger>(_ bytes: ArraySlice<UInt8>, _: Value.Type) -> Value {
        bytes.reversed().reduce(0) { $0 << 8 | Value($1) }
    }
}
