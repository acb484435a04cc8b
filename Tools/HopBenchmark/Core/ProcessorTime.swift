import Foundation

/// What processes have used of the processors, by the scheduler's own account.
enum ProcessorTime {
    /// Nanoseconds that all threads of a process have run; threads that are gone are not in it.
    static func nanoseconds(of pid: Int32) -> UInt64 {
        let tasks = "/proc/\(pid)/task"
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []
        return threads.reduce(0) { sum, thread in
            guard let data = FileManager.default.contents(atPath: "\(tasks)/\(thread)/schedstat") else { return sum }
            return sum + (running(String(decoding: data, as: UTF8.self)) ?? 0)
        }
    }

    /// The first number of a `schedstat`.
    static func running(_ schedstat: String) -> UInt64? {
        schedstat.split(separator: " ").first.flatMap { UInt64($0) }
    }

    static var own: UInt64 { nanoseconds(of: ProcessInfo.processInfo.processIdentifier) }
}
