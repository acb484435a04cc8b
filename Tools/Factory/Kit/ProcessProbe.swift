import Foundation

/// Processes by their ids, as `/proc` and signals see them.
enum ProcessProbe {
    /// Whether the process runs, and is the one that was started with this ports file (ids are used again).
    static func isAlive(_ pid: Int32, portsFile: String) -> Bool {
        guard kill(pid, 0) == 0 else { return false }
        // Without /proc the signal is all that can be asked.
        guard let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else {
            return !FileManager.default.fileExists(atPath: "/proc/self")
        }
        // A process that has ended and was not waited for has no command line any more.
        return line.split(separator: 0).contains { $0.elementsEqual(portsFile.utf8) }
    }

    static func signal(_ pid: Int32, _ number: Int32) { kill(pid, number) }

    /// Asks `condition` until it holds; false when the deadline has passed.
    static func wait(seconds: Double, until condition: () async throws -> Bool) async rethrows -> Bool {
        let end = ContinuousClock.now + .seconds(seconds)
        while true {
            if try await condition() { return true }
            guard ContinuousClock.now < end, (try? await Task.sleep(for: .milliseconds(20))) != nil else {
                return false
            }
        }
    }
}
