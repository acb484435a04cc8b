import Foundation
public import Logging
import Synchronization

/// What tells one state of a file from another.
struct FileMark: Equatable, Sendable {
    var modified: Date
    var size: UInt64
    var number: UInt64
    /// When it was looked at: a change soon after another one may leave the same time of change.
    var isRecent: Bool

    static func look(at path: String) throws(KeyFileError) -> FileMark {
        do {
            let attributes = try FileManager.default.attributesOfItem(
                atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
            let modified = attributes[.modificationDate] as? Date ?? .distantPast
            return FileMark(
                modified: modified, size: (attributes[.size] as? NSNumber)?.uint64Value ?? 0,
                number: (attributes[.systemFileNumber] as? NSNumber)?.uint64Value ?? 0,
                isRecent: abs(modified.timeIntervalSinceNow) < 2)
        } catch {
            throw .unreadable(path: path, reason: "\(error)")
        }
    }

    /// The file's text and its mark from before it was read, so that a change meanwhile is seen later.
    static func read(_ path: String) throws(KeyFileError) -> (String, FileMark) {
        let mark = try look(at: path)
        guard mark.size <= UInt64(KeyFile.limit) else {
            throw .unreadable(path: path, reason: "it is larger than \(KeyFile.limit) bytes")
        }
        do {
            return (try String(contentsOf: URL(fileURLWithPath: path), encoding: .utf8), mark)
        } catch {
            throw .unreadable(path: path, reason: "\(error)")
        }
    }
}

extension KeyRing {
    /// What became of looking at the file.
    public enum Reading: Sendable {
        case unchanged
        /// So many keys are good now.
        case read(Int)
        /// The keys from before stay good.
        case failed(KeyFileError)
    }

    /// Reads the file again if it has changed. A file that cannot be read, that has a bad line or that is blank leaves
    /// the keys as they are; one that has comments alone withdraws all of them. Waits for the disk.
    public func reread() -> Reading {
        do throws(KeyFileError) {
            let found = try FileMark.look(at: path)
            let before = seen.withLock { $0 }
            if found == before.mark, !found.isRecent { return .unchanged }
            let (text, mark) = try FileMark.read(path)
            let content = KeyDigest(of: text)
            // A state of the file is read, and told, once.
            seen.withLock { $0 = Seen(mark: mark, content: content) }
            guard content != before.content else { return .unchanged }
            guard text.contains(where: { !$0.isWhitespace }) else { throw .empty(path: path) }
            let table = try KeyFile.parse(text, path: path)
            replace(with: table)
            return .read(table.count)
        } catch {
            noteFailure()
            return .failed(error)
        }
    }

    /// Looks at the file every second until the task is cancelled.
    public func watch(log: Logger) async {
        var lastFailure: KeyFileError?
        while !Task.isCancelled {
            switch reread() {
            case .unchanged: break
            case .read(let count):
                lastFailure = nil
                log.notice("API keys read again", metadata: ["path": "\(path)", "keys": "\(count)"])
            case .failed(let error):
                if error != lastFailure {
                    log.error(
                        "API keys not read again: those from before stay good",
                        metadata: ["path": "\(path)", "error": "\(error)"])
                }
                lastFailure = error
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }
}
