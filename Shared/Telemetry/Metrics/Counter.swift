import Synchronization

/// A number that only grows. A handle: increments are one relaxed atomic addition, from any thread, no allocation.
public final class Counter: Sendable {
    private let count = Atomic<UInt64>(0)

    init() {}

    public func increment() {
        count.wrappingAdd(1, ordering: .relaxed)
    }

    public func increment(by amount: UInt64) {
        count.wrappingAdd(amount, ordering: .relaxed)
    }

    public var value: UInt64 {
        count.load(ordering: .relaxed)
    }
}
