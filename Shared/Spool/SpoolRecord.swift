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
        bytes.append(little: epoch)
        bytes.append(little: first)
        bytes.append(little: Checksum.of(bytes))
        return bytes
    }

    /// Nil when the bytes are not a segment's header.
    static func parseHeader(_ bytes: ArraySlice<UInt8>) -> (epoch: UInt64, first: UInt64)? {
        guard bytes.count == headerSize, bytes.prefix(8).elementsEqual(magic),
            Checksum.of(bytes.prefix(24)) == bytes.little(bytes.startIndex + 24, UInt32.self)
        else { return nil }
        return (bytes.little(bytes.startIndex + 8), bytes.little(bytes.startIndex + 16))
    }

    static func append(_ event: LedgerEvent, number: UInt64, to bytes: inout [UInt8], using frame: inout FrameBuffer) {
        // Of version 1 where that says all: an accounting that is not upgraded yet can then take the spool over.
        let isPlain = event.label.isEmpty && event.status.written(in: 1) == event.status
        // The next record's length is to stand at a multiple of 4 bytes.
        let odd = event.tenant.utf8.count + event.model.utf8.count + event.worker.utf8.count + event.label.utf8.count
        RecordBatch(first: number, events: [event]).encode(
            into: &frame, session: 0, version: isPlain ? 1 : ProtocolVersion.current, padding: (4 - odd % 4) % 4)
        bytes.append(little: UInt32(frame.bytes.count))
        bytes.append(little: Checksum.of(frame.bytes))
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
        let length = bytes.little(bytes.startIndex, UInt32.self)
        guard length > 0 else { return .unwritten }
        guard length <= maximumLength else { return .noRecord }
        let size = prefixSize + Int(length)
        guard bytes.count >= size else { return .incomplete }
        let frame = Array(bytes.dropFirst(prefixSize).prefix(Int(length)))
        guard Checksum.of(frame) == bytes.little(bytes.startIndex + 4, UInt32.self),
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
}
