import Synchronization

/// Stops a decoding step from another thread. Once raised it stops every step until it is lowered.
public final class LlamaAbortFlag: Sendable {
    private let raised = Atomic(false)

    public init() {}

    public var isRaised: Bool { raised.load(ordering: .acquiring) }

    public func raise() { raised.store(true, ordering: .releasing) }

    public func lower() { raised.store(false, ordering: .releasing) }
}
