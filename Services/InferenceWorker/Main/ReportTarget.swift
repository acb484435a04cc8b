import Batching
import Engines
import Logging
import Synchronization
import Transport

/// The way of the engine's reports to the reactor's thread: those that come while it is busy are taken up together.
final class ReportTarget: Sendable {
    private struct State: Sendable {
        /// Oldest first.
        var pending: [StepReport] = []
        /// Memory for the next.
        var spare: [StepReport] = []
        /// Gets reports' storage back.
        var runner: EngineRunner?
    }

    private let reactor: Reactor
    private let logger: Logger
    private let state = Mutex(State())

    init(_ reactor: Reactor, logger: Logger) {
        self.reactor = reactor
        self.logger = logger
    }

    /// Names whom reports' storage goes back to.
    func set(_ runner: EngineRunner) { state.withLock { $0.runner = runner } }

    func deliver(_ report: StepReport) {
        let isFirst = state.withLock { state in
            state.pending.append(report)
            return state.pending.count == 1
        }
        // The turn that this begins takes the report at its end.
        if isFirst { reactor.post {} }
    }

    func take(_ body: (_ rows: [EngineRow], _ begunAt: UInt64, _ endedAt: UInt64) -> Void) {
        var reports: [StepReport] = []
        let runner: EngineRunner? = state.withLock { state in
            guard !state.pending.isEmpty else { return nil }
            swap(&reports, &state.pending)
            swap(&state.pending, &state.spare)
            return state.runner
        }
        guard !reports.isEmpty else { return }
        reports.reverse()
        // Taken out one by one, so that each one's storage has one owner and can be used again.
        while let report = reports.popLast() {
            body(report.rows, report.begunAt, report.endedAt)
            if let error = report.error {
                logger.error("the engine failed a step", metadata: ["error": "\(error)"])
            }
            runner?.recycle(report)
        }
        state.withLock { if $0.spare.capacity == 0 { swap(&reports, &$0.spare) } }
    }
}
