import Foundation
import Synchronization
import Transport

/// One line on a terminal's standard error that is drawn over itself; nothing where that is no terminal.
public final class ProgressBar: Sendable {
    private let total: Int?
    private let isTerminal: Bool
    private let startedAt = MonotonicClock.now()
    private let drawnAt = Mutex<UInt64>(0)

    /// - Parameter total: requests to come, if that is known.
    public init(total: Int?) {
        self.total = total
        isTerminal = isatty(STDERR_FILENO) == 1
    }

    /// Draws, at most ten times a second.
    public func show(_ progress: LoadProgress) {
        guard isTerminal else { return }
        let now = MonotonicClock.now()
        let isDue = drawnAt.withLock { drawnAt in
            guard now > drawnAt + 100_000_000 || progress.ended == total else { return false }
            drawnAt = now
            return true
        }
        if isDue { write("\r\u{1B}[K" + line(progress, seconds: Double(now - startedAt) / 1e9)) }
    }

    /// Takes the line away.
    public func clear() {
        if isTerminal { write("\r\u{1B}[K") }
    }

    func line(_ progress: LoadProgress, seconds: Double) -> String {
        let rate = seconds > 0 ? Int(Double(progress.tokens) / seconds) : 0
        let failed = progress.failed > 0 ? ", \(progress.failed) failed" : ""
        guard let total, total > 0 else {
            return "\(progress.ended) of \(progress.sent) sent\(failed)  \(rate) tokens/s  \(Int(seconds)) s"
        }
        let width = 30
        let full = min(width, width * progress.ended / total)
        let bar = String(repeating: "█", count: full) + String(repeating: "░", count: width - full)
        return "\(bar) \(progress.ended)/\(total)\(failed)  \(rate) tokens/s  \(Int(seconds)) s"
    }

    private func write(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }
}
