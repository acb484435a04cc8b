import Foundation
import Glibc

/// A folder that goes away with its owner, also when the owner's process is killed: a process of its own waits for that
/// and removes the folder once nobody works in it.
final class ScratchFolder {
    let path: String
    private let sweeper: ChildProcess

    init() throws(BenchError) {
        path = FileManager.default.temporaryDirectory.path + "/hopbench-\(UInt32.random(in: 0...UInt32.max))"
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw .process("cannot make \(path): \(error.localizedDescription)")
        }
        sweeper = try ChildProcess(peer: ["sweep", path])
        // From here on no signal ends it before its work is done.
        _ = try sweeper.line()
    }

    deinit {
        sweeper.end()
        sweeper.stop()
    }

    /// The sweeper's work: waits for the end of standard input, then until no process names the folder in its command
    /// line, at most `patience`, and removes it.
    static func sweep(_ path: String, patience: Duration = .seconds(10), ready: () -> Void) throws(BenchError) {
        // An interrupt from the keyboard goes to all processes of a run.
        for number in [SIGINT, SIGTERM, SIGHUP] { _ = signal(number, SIG_IGN) }
        ready()
        while readLine() != nil {}
        let end = ContinuousClock.now + patience
        while ContinuousClock.now < end, isNamedByAnother(path) { usleep(20_000) }
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            throw .process("cannot remove \(path): \(error.localizedDescription)")
        }
    }

    /// Whether a process other than this one has the path in its arguments.
    private static func isNamedByAnother(_ path: String) -> Bool {
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return processes.contains { name in
            guard let pid = Int32(name), pid != getpid(),
                let arguments = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline")
            else { return false }
            return arguments.range(of: Data(path.utf8)) != nil
        }
    }
}
