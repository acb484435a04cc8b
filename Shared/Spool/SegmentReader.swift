import Foundation
import Wire

/// Reads the records of one segment in order, a block at a time.
struct SegmentReader {
    private let file: FileHandle
    private let path: String
    private var buffer: [UInt8] = []
    private var start = 0
    /// Bytes of the file in front of the buffer.
    private var position: UInt64 = 0
    private(set) var epoch: UInt64 = 0
    private(set) var first: UInt64 = 0

    enum Item {
        case record(number: UInt64, LedgerEvent)
        case damaged
        /// The rest is a torn write of so many bytes.
        case torn(UInt64)
    }

    /// Nil when the file holds no whole header: its owner died while it made the file.
    init?(path: String) throws(SpoolError) {
        self.path = path
        do {
            file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        } catch {
            throw .wrapping(error, "open", path)
        }
        while buffer.count < SpoolRecord.headerSize, try fill() {}
        guard buffer.count >= SpoolRecord.headerSize else { return nil }
        // Its owner died between the allocation and the header.
        if buffer[..<SpoolRecord.headerSize].allSatisfy({ $0 == 0 }) { return nil }
        guard let header = SpoolRecord.parseHeader(buffer[..<SpoolRecord.headerSize]) else {
            throw .foreign(path: path, reason: "it does not begin as a spool does")
        }
        (epoch, first) = header
        start = SpoolRecord.headerSize
    }

    /// The next record; nil at the end.
    mutating func next() throws(SpoolError) -> Item? {
        // Asked anew each time: the owner may have written since.
        var atEnd = false
        var isFresh = false
        while true {
            switch SpoolRecord.parse(buffer[start...]) {
            case .record(let batch, let size):
                start += size
                return .record(number: batch.first, batch.events[0])
            case .damaged(let size):
                start += size
                return .damaged
            case .incomplete where !atEnd:
                atEnd = try !fill()
            case .unwritten where !isFresh:
                // What was read before the owner wrote there is of no use.
                isFresh = true
                try forget()
            case .unwritten where try isUnwritten():
                return nil
            case .incomplete, .noRecord, .unwritten:
                // Its owner is gone, or a write of it failed half-way: nothing behind this was ever acted upon.
                while try fill() {}
                guard start < buffer.count else { return nil }
                defer { start = buffer.count }
                return .torn(UInt64(buffer.count - start))
            }
        }
    }

    /// Whether nothing but zeros follows.
    private mutating func isUnwritten() throws(SpoolError) -> Bool {
        var index = start
        while true {
            while index < buffer.count {
                guard buffer[index] == 0 else { return false }
                index += 1
            }
            index -= start
            guard try fill() else { return true }
        }
    }

    /// Empties the buffer, so that its bytes are read again.
    private mutating func forget() throws(SpoolError) {
        position += UInt64(start)
        buffer.removeAll(keepingCapacity: true)
        start = 0
        do {
            try file.seek(toOffset: position)
        } catch {
            throw .wrapping(error, "read", path)
        }
    }

    /// Reads on; false at the end of the file. The beginning of a record's prefix is read again, since the rest of it
    /// may have been written after the beginning was read.
    private mutating func fill() throws(SpoolError) -> Bool {
        let held = buffer.count - start
        if held > 0, held < SpoolRecord.prefixSize { try forget() }
        buffer.removeFirst(start)
        position += UInt64(start)
        start = 0
        do {
            guard let data = try file.read(upToCount: 65_536), !data.isEmpty else { return false }
            buffer.append(contentsOf: data)
            return buffer.count > held
        } catch {
            throw .wrapping(error, "read", path)
        }
    }
}
