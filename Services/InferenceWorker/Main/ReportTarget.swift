import Engines
import Synchronization
import Transport

/// The way of the engine's reports to the reactor's thread: those that come while it is busy are taken up together.
final class ReportTarget: Sendable {
    private struct State: Sendable {
        /// Oldest first.
        var pending: [StepReport] = []
        var receiver: (any Receiver)?
    }

    /// Takes reports, on the reactor's thread.
    protocol Receiver: Sendable {
        func take(_ report: consuming StepReport)
    }

    private let reactor: Reactor
    private let state = Mutex(State())

    init(_ reactor: Reactor) { self.reactor = reactor }

    /// Names the receiver; before it is named nothing is held, so nothing is reported.
    func set(_ receiver: any Receiver) { state.withLock { $0.receiver = receiver } }

    func deliver(_ report: StepReport) {
        let isFirst = state.withLock { state in
            state.pending.append(report)
            return state.pending.count == 1
        }
        if isFirst { reactor.post { self.hand() } }
    }

    private func hand() {
        var (reports, receiver) = state.withLock { state in
            var reports: [StepReport] = []
            swap(&reports, &state.pending)
            return (reports, state.receiver)
        }
        reports.reverse()
        // Taken out one by one, so that each one's storage has one owner and can be used again.
        while let report = reports.popLast() { receiver?.take(report) }
    }
}
