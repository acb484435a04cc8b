import Engines
import Synchronization

/// Where the engine's reports go: known only after the engine has started.
final class ReportTarget: Sendable {
    private let body = Mutex<(@Sendable (StepReport) -> Void)?>(nil)

    /// Names the receiver; before it is named nothing is held, so nothing is reported.
    func set(_ body: @escaping @Sendable (StepReport) -> Void) { self.body.withLock { $0 = body } }

    func deliver(_ report: StepReport) {
        let body = body.withLock { $0 }
        body?(report)
    }
}
