import Engines
import Synchronization

/// Where the engine's reports go: known only after the engine has started.
final class ReportTarget: Sendable {
    /// In a box of its own: a closure that a mutex hands out by itself gets one more layer with every look.
    private struct Receiver: Sendable {
        let body: @Sendable (StepReport) -> Void
    }

    private let receiver = Mutex<Receiver?>(nil)

    /// Names the receiver; before it is named nothing is held, so nothing is reported.
    func set(_ body: @escaping @Sendable (StepReport) -> Void) { receiver.withLock { $0 = Receiver(body: body) } }

    func deliver(_ report: StepReport) {
        let receiver = receiver.withLock { $0 }
        receiver?.body(report)
    }
}
