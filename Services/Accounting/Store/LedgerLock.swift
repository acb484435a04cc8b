import Foundation
import Glibc
import Ledger
import LedgerDatabase

/// The right to write a ledger: a lock on a file beside the database, which the kernel gives up when its holder ends,
/// however it ends. The file says who holds it. Readers need no lock.
final class LedgerLock: Sendable {
    private let file: FileHandle

    /// Takes the lock; throws `inUse`, naming the holder, while another has it.
    init(database: String, holder: String) throws(LedgerError) {
        // Two names of one file must be one lock.
        let path = URL(fileURLWithPath: database).resolvingSymlinksInPath().path + ".lock"
        do {
            if !FileManager.default.fileExists(atPath: path) {
                guard FileManager.default.createFile(atPath: path, contents: nil) else {
                    throw LedgerError.storage(operation: "lock", path: path, reason: "the directory refuses the file")
                }
            }
            file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
            // One that is about to end is waited for.
            var tries = 20
            while flock(file.fileDescriptor, LOCK_EX | LOCK_NB) != 0 {
                let code = errno
                guard code == EWOULDBLOCK || code == EINTR else {
                    throw LedgerError.storage(operation: "lock", path: path, reason: "errno \(code)")
                }
                tries -= 1
                guard tries == 0 else {
                    usleep(25_000)
                    continue
                }
                let text = try file.read(upToCount: 512).map { String(decoding: $0, as: UTF8.self) } ?? ""
                throw LedgerError.inUse(
                    path: database, holder: text.trimmingCharacters(in: .whitespacesAndNewlines))
            }
        } catch {
            throw LedgerError.wrapping(error, operation: "lock", path: database)
        }
        name(holder)
    }

    /// Says in the file who holds it, for whoever is refused. The lock holds without that, on a full disk too.
    private func name(_ holder: String) {
        let text = "\(holder), process \(getpid()), on \(ProcessInfo.processInfo.hostName)\n"
        guard (try? file.truncate(atOffset: 0)) != nil else { return }
        try? file.write(contentsOf: Data(text.utf8))
    }

    deinit { try? file.close() }
}
