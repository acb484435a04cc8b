import Histogram

/// Durations in nanoseconds, to three significant digits.
public struct Distribution: Sendable {
    private var histogram: Histogram<UInt64>

    public init() {
        histogram = Histogram(highestTrackableValue: 3_600_000_000_000, numberOfSignificantValueDigits: .three)
        histogram.autoResize = true
    }

    public mutating func record(_ nanoseconds: UInt64) { histogram.record(nanoseconds) }

    public var count: UInt64 { histogram.totalCount }
    public var isEmpty: Bool { count == 0 }

    /// Milliseconds that `percent` of the values do not exceed; nil without values.
    public func percentile(_ percent: Double) -> Double? {
        isEmpty ? nil : Double(min(histogram.valueAtPercentile(percent), histogram.max)) / 1e6
    }

    /// Milliseconds.
    public var mean: Double? { isEmpty ? nil : histogram.mean / 1e6 }
    public var maximum: Double? { isEmpty ? nil : Double(histogram.max) / 1e6 }
    public var standardDeviation: Double? { isEmpty ? nil : histogram.stdDeviation / 1e6 }
}
