import CLinux
import Foundation

/// Memory that is mapped onto a part of a file: a store survives the process as a write does, and costs no system call.
///
/// For one thread at a time.
///
/// Invariant of the unsafe calls: `base` is a shared mapping of `count` bytes of the file, whose blocks are allocated, so
/// that no store meets a full disk; it is unmapped in `deinit` alone, and every access is checked against `count`.
@safe struct MappedBytes: ~Copyable, Sendable {
    nonisolated(unsafe) private let base: UnsafeMutableRawPointer
    let count: Int

    /// Allocates that part of the file and maps it.
    /// - Parameters:
    ///   - offset: A multiple of the page size.
    ///   - path: For errors.
    init(descriptor: Int32, offset: Int = 0, count: Int, path: String) throws(SpoolError) {
        self.count = count
        let code = posix_fallocate(descriptor, off_t(offset), off_t(count))
        guard code == 0 else { throw .system("allocate \(count) bytes for", path, code) }
        let mapped = unsafe mmap(nil, count, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, off_t(offset))
        guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else { throw .system("map", path, errno) }
        unsafe base = unsafe mapped
    }

    deinit { unsafe munmap(base, count) }

    func write(_ bytes: ArraySlice<UInt8>, at offset: Int) {
        precondition(offset >= 0 && bytes.count <= count - offset, "a write beyond the mapping")
        unsafe bytes.withUnsafeBytes { source in
            let target = unsafe UnsafeMutableRawBufferPointer(start: base + offset, count: source.count)
            unsafe target.copyMemory(from: source)
        }
    }

    /// Writes the text's first bytes, and no more than `limit`.
    /// - Returns: How many.
    func write(_ text: String, limit: Int, at offset: Int) -> Int {
        let bytes = text.utf8Span.span
        let length = min(bytes.count, limit)
        precondition(offset >= 0 && length <= count - offset, "a write beyond the mapping")
        unsafe bytes.withUnsafeBytes { source in
            let target = unsafe UnsafeMutableRawBufferPointer(start: base + offset, count: length)
            unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[..<length]))
        }
        return length
    }

    /// A store that whoever reads the file sees only after all that was written before it.
    func publish(_ value: UInt32, at offset: Int) {
        precondition(offset >= 0 && offset % 4 == 0 && offset <= count - 4, "a store beyond the mapping")
        unsafe tf_store_release_32(base + offset, value)
    }

    /// As the other `publish`.
    func publish(_ value: UInt16, at offset: Int) {
        precondition(offset >= 0 && offset % 2 == 0 && offset <= count - 2, "a store beyond the mapping")
        unsafe tf_store_release_16(base + offset, value)
    }

    /// As the other `publish`.
    func publish(_ value: UInt64, at offset: Int) {
        precondition(offset >= 0 && offset % 8 == 0 && offset <= count - 8, "a store beyond the mapping")
        unsafe tf_store_release_64(base + offset, value)
    }
}
