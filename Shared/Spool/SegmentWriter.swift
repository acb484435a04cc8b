import Foundation

/// A segment's file, written through memory that is mapped onto it.
///
/// The file is made larger than what stands in it; the rest is zeros until `deinit` cuts them off, or for ever if the
/// process is killed. Readers take a record of length 0 for the end.
struct SegmentWriter: ~Copyable, Sendable {
    private let bytes: MappedBytes
    private let descriptor: Int32
    private(set) var path: String
    /// Bytes that stand in the file.
    private(set) var count = 0

    var capacity: Int { bytes.count }

    /// Makes the file, or empties the one that is there.
    init(path: String, capacity: Int) throws(SpoolError) {
        self.path = path
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw .system("create", path, errno) }
        do {
            bytes = try MappedBytes(descriptor: descriptor, count: capacity, path: path)
        } catch {
            close(descriptor)
            unsafe unlink(path)
            throw error
        }
    }

    deinit {
        // If the file cannot be cut, readers stop at the zeros.
        _ = ftruncate(descriptor, off_t(count))
        close(descriptor)
    }

    /// Whether so many bytes more find room.
    func hasRoom(for more: Int) -> Bool { count + more <= capacity }

    /// Appends records, or a header: a multiple of 4 bytes, of which the first four are not 0. They are stored last, so
    /// that whoever reads after a kill sees all of them or nothing. There must be room.
    mutating func append(_ bytes: [UInt8]) {
        precondition(
            bytes.count >= 4 && bytes.count % 4 == 0 && hasRoom(for: bytes.count), "an append beyond the segment")
        self.bytes.write(bytes[4...], at: count + 4)
        let length = bytes[..<4].reversed().reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
        self.bytes.publish(UInt32(littleEndian: length), at: count)
        count += bytes.count
    }

    /// Gives the file another name.
    mutating func rename(to path: String) throws(SpoolError) {
        guard unsafe Glibc.rename(self.path, path) == 0 else { throw .system("rename to \(path)", self.path, errno) }
        self.path = path
    }

    /// Removes the file; what is written afterwards is gone with the value.
    func removeFile() {
        // A file that stays is removed by whoever takes the spool over.
        _ = unsafe Glibc.unlink(path)
    }

    /// Makes what stands here survive the machine.
    func synchronize() throws(SpoolError) {
        guard fdatasync(descriptor) == 0 else { throw .system("sync", path, errno) }
    }
}
