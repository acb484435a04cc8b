import Histogram

/// Durations in nanoseconds, to three significant digits.
struct Latencies: Sendable {
    private var histogram: Histogram<UInt64>

    init(_ samples: [UInt64] = []) {
        histogram = Histogram(highestTrackableValue: 3_600_000_000_000, numberOfSignificantValueDigits: .three)
        histogram.autoResize = true
        for sample in samples { record(sample) }
    }

    mutating func record(_ nanoseconds: UInt64) { _ = histogram.record(nanoseconds) }

    mutating func record(_ samples: [UInt64]) { for sample in samples { record(sample) } }

    mutating func add(_ other: Latencies) { histogram.add(other.histogram) }

    /// The value that so many percent of the samples do not exceed; 0 without samples.
    func percentile(_ percent: Double) -> Double {
        histogram.totalCount == 0 ? 0 : Double(min(histogram.valueAtPercentile(percent), histogram.max))
    }

    var summary: LatencySummary {
        LatencySummary(
            count: histogram.totalCount, p50: percentile(50), p90: percentile(90), p99: percentile(99),
            p999: percentile(99.9), max: histogram.totalCount == 0 ? 0 : Double(histogram.max))
    }

    /// Latency by quantile, as far as there are samples beyond it.
    var curve: [CurvePoint] {
        let quantiles = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999]
        let count = Double(histogram.totalCount)
        return quantiles.filter { count * (1 - $0) >= 1 }.map {
            CurvePoint(quantile: $0, nanoseconds: percentile($0 * 100))
        }
    }
}

/// A point of a latency distribution.
public struct CurvePoint: Codable, Equatable, Sendable {
    public var quantile: Double
    public var nanoseconds: Double
}

/// Percentiles in nanoseconds.
public struct LatencySummary: Codable, Equatable, Sendable {
    /// Samples.
    public var count: UInt64
    public var p50: Double
    public var p90: Double
    public var p99: Double
    public var p999: Double
    public var max: Double
}

/// A figure over several rounds.
public struct Spread: Codable, Equatable, Sendable {
    public var median: Double
    public var least: Double
    public var most: Double

    /// Nil without values.
    init?(_ values: [Double]) {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        least = sorted[0]
        most = sorted[sorted.count - 1]
        let middle = sorted.count / 2
        median = sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }

    /// The quotients of pairs that were measured one after the other; pairs without a divisor are left out.
    init?(_ pairs: [(Double, Double)]) {
        self.init(pairs.filter { $0.1 > 0 }.map { $0.0 / $0.1 })
    }
}
