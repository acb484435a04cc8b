import Synchronization

/// A service's metrics: makes handles, and renders them all in Prometheus' text exposition format, version 0.0.4.
///
/// A handle is made once and kept by who counts; asking again for the same name and labels gives the same handle.
/// Making handles and rendering take a lock; the handles do not.
public final class MetricsRegistry: Sendable {
    /// Value of `Content-Type` for what `render` returns.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// Series of one metric, at most. Labels beyond that share one series whose label values are `other`, so that a
    /// label which a client can choose cannot fill the memory.
    public let maximumSeries: Int

    enum Kind: String {
        case counter
        case gauge
        case histogram
    }

    enum Series: Sendable {
        case counter(Counter)
        case gauge(Gauge)
        case sampled(@Sendable () -> Double)
        case histogram(BucketHistogram)
    }

    struct Family: Sendable {
        var name: String
        var help: String
        var kind: Kind
        var order: [MetricLabels] = []
        var series: [MetricLabels: Series] = [:]
    }

    private struct State: Sendable {
        var order: [String] = []
        var families: [String: Family] = [:]
    }

    private let state = Mutex(State())

    public init(maximumSeries: Int = 1000) {
        self.maximumSeries = maximumSeries
    }

    /// - Parameter name: In Prometheus' form, ending in `_total`.
    public func counter(_ name: String, help: String, labels: MetricLabels = .none) -> Counter {
        let found = series(name, help, .counter, labels) { .counter(Counter()) }
        guard case .counter(let counter) = found else { preconditionFailure("\(name) is no counter") }
        return counter
    }

    public func gauge(_ name: String, help: String, labels: MetricLabels = .none) -> Gauge {
        let found = series(name, help, .gauge, labels) { .gauge(Gauge()) }
        guard case .gauge(let gauge) = found else { preconditionFailure("\(name) is no settable gauge") }
        return gauge
    }

    /// A gauge that is read when it is rendered.
    ///
    /// - Parameter read: Called on the thread that renders; must be quick and must not use this registry.
    public func gauge(
        _ name: String, help: String, labels: MetricLabels = .none, read: @escaping @Sendable () -> Double
    ) {
        _ = series(name, help, .gauge, labels) { .sampled(read) }
    }

    /// - Parameter bounds: Upper bounds of the buckets, ascending. Those of the metric's first series hold for all.
    public func histogram(
        _ name: String, help: String, labels: MetricLabels = .none, bounds: [Double] = BucketHistogram.seconds
    ) -> BucketHistogram {
        precondition(zip(bounds, bounds.dropFirst()).allSatisfy(<), "bounds of \(name) do not ascend")
        let found = series(name, help, .histogram, labels) { .histogram(BucketHistogram(bounds: bounds)) }
        guard case .histogram(let histogram) = found else { preconditionFailure("\(name) is no histogram") }
        return histogram
    }

    /// All metrics, in the order in which they were first asked for.
    public func render() -> String {
        let families = state.withLock { state in state.order.compactMap { state.families[$0] } }
        var text = ""
        for family in families { PrometheusText.append(family, to: &text) }
        return text
    }

    private func series(
        _ name: String, _ help: String, _ kind: Kind, _ labels: MetricLabels, make: () -> sending Series
    ) -> Series {
        precondition(PrometheusText.isMetricName(name), "\(name) is no metric name")
        precondition(labels.pairs.allSatisfy { PrometheusText.isLabelName($0.name) }, "bad label name at \(name)")
        return state.withLock { state in
            var family = state.families[name] ?? Family(name: name, help: help, kind: kind)
            precondition(family.kind == kind, "\(name) is a \(family.kind.rawValue)")
            if family.order.isEmpty { state.order.append(name) }
            if let known = family.series[labels] { return known }
            let labels = family.order.count < maximumSeries ? labels : labels.overflow
            if let known = family.series[labels] { return known }
            let made = make()
            family.order.append(labels)
            family.series[labels] = made
            state.families[name] = family
            return made
        }
    }
}
