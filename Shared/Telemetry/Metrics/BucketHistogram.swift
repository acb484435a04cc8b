import Synchronization

/// How often a quantity fell into each of a row of fixed buckets. A handle: atomic, from any thread, no allocation.
public final class BucketHistogram: Sendable {
    /// Seconds, from 50 µs to two minutes: hops as well as whole requests.
    public static let seconds: [Double] = [
        0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
        60, 120,
    ]

    /// Upper bounds, inclusive, ascending; one more bucket above the last.
    public let bounds: [Double]
    private let buckets: [Counter]
    private let sumBits = Atomic<UInt64>(0)

    init(bounds: [Double]) {
        self.bounds = bounds
        buckets = (0...bounds.count).map { _ in Counter() }
    }

    /// Counts one value; a NaN is not counted.
    public func observe(_ value: Double) {
        guard !value.isNaN else { return }
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if value <= bounds[middle] { high = middle } else { low = middle + 1 }
        }
        buckets[low].increment()
        sumBits.add(value)
    }

    /// `observe` in seconds, of a span on a monotonic clock in nanoseconds.
    public func observe(nanoseconds: UInt64) {
        observe(Double(nanoseconds) / 1e9)
    }

    /// `observe` in seconds.
    public func observe(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        observe(Double(seconds) + Double(attoseconds) / 1e18)
    }

    /// Counts of the buckets, not cumulative, the one above the last bound included.
    public var counts: [UInt64] {
        buckets.map(\.value)
    }

    public var sum: Double {
        Double(bitPattern: sumBits.load(ordering: .relaxed))
    }
}
