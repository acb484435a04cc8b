import Formats
import Foundation

/// Names of a spool's files in its directory: `<instance>-<epoch>.<first number>.spool` segments, `<instance>-<epoch>.open`
/// for the open requests, `<instance>-<epoch>.<number>.spare` for the next segment, and one `<instance>-<epoch>.lock`,
/// held by the owner for as long as it lives.
struct SpoolFiles: Sendable {
    let directory: String
    /// `<instance>-<epoch in 16 hexadecimal digits>`
    let base: String

    init(directory: String, instance: String, epoch: UInt64) {
        self.directory = directory
        let safe = instance.map { $0.isASCII && ($0.isLetter || $0.isNumber || "_-".contains($0)) ? $0 : "_" }
        base = String(safe.prefix(100)) + "-" + Hexadecimal.text(epoch)
    }

    init(directory: String, base: String) {
        self.directory = directory
        self.base = base
    }

    var openPath: String { directory + "/" + base + ".open" }

    func sparePath(_ number: Int) -> String { directory + "/" + base + "." + String(number) + ".spare" }

    var lockPath: String { directory + "/" + base + ".lock" }

    func segmentPath(first: UInt64) -> String { directory + "/" + base + "." + Hexadecimal.text(first) + ".spool" }

    /// First numbers of the segments that are there, ascending.
    func segments() throws(SpoolError) -> [UInt64] {
        try Self.entries(directory).filter { $0.base == base }.map(\.first).sorted()
    }

    /// Bases of which at least one file besides the lock is in the directory, sorted. Whoever makes the others holds the
    /// lock by then.
    static func bases(in directory: String) throws(SpoolError) -> [String] {
        let found = try names(in: directory).compactMap { parts in
            segment(parts)?.base ?? (isCompanion(parts) ? parts[0] : nil)
        }
        return Array(Set(found)).sorted()
    }

    private static func entries(_ directory: String) throws(SpoolError) -> [(base: String, first: UInt64)] {
        try names(in: directory).compactMap(segment)
    }

    private static func segment(_ parts: [String]) -> (base: String, first: UInt64)? {
        guard parts.count == 3, parts[2] == "spool", let first = UInt64(parts[1], radix: 16) else { return nil }
        return (parts[0], first)
    }

    private static func isCompanion(_ parts: [String]) -> Bool {
        parts.count == 2 && parts[1] == "open" || parts.count == 3 && parts[2] == "spare"
    }

    /// The parts of the names in a directory that are separated by dots.
    private static func names(in directory: String) throws(SpoolError) -> [[String]] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: directory).map { name in
                name.split(separator: ".", omittingEmptySubsequences: false).map { String($0) }
            }
        } catch {
            throw .wrapping(error, "list", directory)
        }
    }

    /// Removes the open requests and what is left of segments that were never begun.
    func removeCompanions() throws(SpoolError) {
        for parts in try Self.names(in: directory) where parts[0] == base && Self.isCompanion(parts) {
            try remove(directory + "/" + parts.joined(separator: "."))
        }
    }

    /// Takes the lock; nil while another open file holds it.
    func lock() throws(SpoolError) -> FileHandle? {
        do {
            if !FileManager.default.fileExists(atPath: lockPath) {
                guard FileManager.default.createFile(atPath: lockPath, contents: nil) else {
                    throw SpoolError.file(operation: "create", path: lockPath, reason: "the directory refuses it")
                }
            }
            let file = try FileHandle(forUpdating: URL(fileURLWithPath: lockPath))
            guard flock(file.fileDescriptor, LOCK_EX | LOCK_NB) == 0 else {
                let code = errno
                guard code == EWOULDBLOCK else {
                    throw SpoolError.file(operation: "lock", path: lockPath, reason: "errno \(code)")
                }
                return nil
            }
            return file
        } catch {
            throw .wrapping(error, "lock", lockPath)
        }
    }

    func remove(_ path: String) throws(SpoolError) {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            throw .wrapping(error, "remove", path)
        }
    }

    /// Makes the directory's entries durable.
    func syncDirectory() throws(SpoolError) {
        do {
            try FileHandle(forReadingFrom: URL(fileURLWithPath: directory)).synchronize()
        } catch {
            throw .wrapping(error, "sync", directory)
        }
    }
}
