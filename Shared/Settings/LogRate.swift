import Synchronization

/// Bounds how often one message is logged, whoever causes it: what clients and peers can bring about must fill no disk.
///
/// Messages are told apart by their text; what differs from one time to the next belongs into metadata.
final class LogRate: Sendable {
    private struct Window {
        var second: Int64
        var passed = 0
        var held: UInt64 = 0
    }

    /// Lines of one message in each second.
    private let limit: Int
    private let windows = Mutex<[String: Window]>([:])
    /// Messages that are told apart; beyond them all counts begin anew.
    private static let messages = 512

    init(limit: Int = 20) { self.limit = limit }

    /// How many lines of that message were held back since the last that passed; nil when this one is held back too.
    /// - Parameter second: Of any clock.
    func pass(_ message: String, second: Int64) -> UInt64? {
        windows.withLock { windows in
            var window = windows[message] ?? Window(second: second)
            if window.second != second {
                window.second = second
                window.passed = 0
            }
            if windows.count >= Self.messages { windows.removeAll() }
            defer { windows[message] = window }
            guard window.passed < limit else {
                window.held += 1
                return nil
            }
            window.passed += 1
            defer { window.held = 0 }
            return window.held
        }
    }
}
