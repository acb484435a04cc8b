/// Copies what loops count into metrics, so that counting itself costs an addition.
///
/// Belongs to the actor that uses it.
public final class MetricMirror {
    private let registry: MetricsRegistry
    private let prefix: String
    private var counters: [String: (counter: Counter, last: UInt64)] = [:]
    private var gauges: [String: Gauge] = [:]
    private var due: UInt64 = 0

    /// - Parameter prefix: Of every name, for instance `tokenfactory_worker`.
    public init(_ registry: MetricsRegistry, prefix: String) {
        self.registry = registry
        self.prefix = prefix
    }

    /// Whether it is time to copy: a few times a second is enough.
    public func isDue(_ now: UInt64) -> Bool {
        guard now >= due else { return false }
        due = now + 100_000_000
        return true
    }

    /// States what a counter has come to.
    public func count(_ name: String, _ value: UInt64, help: String) {
        var entry =
            counters[name] ?? (registry.counter("\(prefix)_\(name)_total", help: help), 0)
        if value > entry.last { entry.counter.increment(by: value - entry.last) }
        entry.last = value
        counters[name] = entry
    }

    /// States how much there is of something now.
    public func gauge(_ name: String, _ value: Double, help: String) {
        if gauges[name] == nil { gauges[name] = registry.gauge("\(prefix)_\(name)", help: help) }
        gauges[name]?.set(value)
    }
}
