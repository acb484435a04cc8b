import Foundation
import Synchronization

/// A segment's file, written through memory that is mapped onto it: a store survives the process as a write does, and
/// costs no system call.
///
/// The file is made larger than what stands in it; the rest is zeros until `deinit` cuts them off, or for ever if the
/// process is killed. Readers take a record of length 0 for the end.
///
/// Invariant of the unsafe calls: `base` is a shared mapping of `capacity` bytes of the open file, whose blocks are
/// allocated, so that no store meets a full disk; it is unmapped in `deinit` alone.
@safe struct SegmentWriter: ~Copyable, Sendable {
    nonisolated(unsafe) private let base: UnsafeMutableRawPointer
    private let capacity: Int
    private let descriptor: Int32
    private let path: String
    /// Bytes that stand in the file.
    private(set) var count = 0

    /// Makes the file, or empties the one that is there.
    init(path: String, capacity: Int) throws(SpoolError) {
        self.path = path
        self.capacity = capacity
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw Self.failure("create", path, errno) }
        let code = posix_fallocate(descriptor, 0, off_t(capacity))
        guard code == 0 else {
            close(descriptor)
            unsafe unlink(path)
            throw Self.failure("allocate \(capacity) bytes for", path, code)
        }
        let mapped = unsafe mmap(nil, capacity, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
            let code = errno
            close(descriptor)
            throw Self.failure("map", path, code)
        }
        unsafe base = unsafe mapped
    }

    deinit {
        unsafe munmap(base, capacity)
        // If the file cannot be cut, readers stop at the zeros.
        _ = ftruncate(descriptor, off_t(count))
        close(descriptor)
    }

    /// Whether so many bytes more find room.
    func hasRoom(for more: Int) -> Bool { count + more <= capacity }

    /// Appends bytes of which the first four are a record's length, not 0: it is stored last, so that whoever reads
    /// after a kill sees all of them or nothing. There must be room.
    mutating func append(_ bytes: [UInt8]) {
        precondition(bytes.count >= 4 && hasRoom(for: bytes.count), "an append beyond the segment")
        unsafe bytes.withUnsafeBytes { source in
            let target = unsafe UnsafeMutableRawBufferPointer(start: base + count, count: source.count)
            unsafe UnsafeMutableRawBufferPointer(rebasing: target[4...]).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: source[4...]))
            // Nobody who reads the length may read anything older than what it counts.
            atomicMemoryFence(ordering: .releasing)
            unsafe UnsafeMutableRawBufferPointer(rebasing: target[..<4]).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: source[..<4]))
        }
        count += bytes.count
    }

    /// Makes what stands here survive the machine.
    func synchronize() throws(SpoolError) {
        guard fdatasync(descriptor) == 0 else { throw Self.failure("sync", path, errno) }
    }

    private static func failure(_ operation: String, _ path: String, _ code: Int32) -> SpoolError {
        .file(operation: operation, path: path, reason: unsafe String(cString: strerror(code)))
    }
}
