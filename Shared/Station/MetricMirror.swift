public import Line
public import Telemetry
public import Transport

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

    /// States the connections that a listening link did not let stand.
    public func refusals(_ link: String, _ refusals: ConnectionRefusals) {
        let help = "Connections that were ended or not taken, by reason."
        count("\(link)_connections_malformed", refusals.malformed, help: help)
        count("\(link)_connections_unaccepted", refusals.unaccepted, help: help)
        count("\(link)_connections_crowded", refusals.crowded, help: help)
        count("\(link)_connections_slow", refusals.slowHandshakes, help: help)
        count("\(link)_connections_unfinished", refusals.unfinished, help: help)
        count("\(link)_connections_unread", refusals.unread, help: help)
    }

    /// States the longest that one frame of each kind has held the station's thread.
    public func times(_ link: String, _ times: FrameTimes) {
        times.forEach { kind, nanoseconds in
            gauge(
                "\(link)_longest_\(kind)_seconds", Double(nanoseconds) / 1e9,
                help: "The longest that one frame of this kind has held the station's thread.")
        }
    }

    /// States a link's counters under `link`.
    public func line(_ link: String, _ line: LineCounters, badFrames: UInt64, unsent: UInt64) {
        count("\(link)_sessions", line.sessions, help: "Sessions that began.")
        count("\(link)_sessions_ended", line.sessionsEnded, help: "Sessions that ended.")
        count("\(link)_refusals", line.refusals, help: "Hellos refused.")
        count("\(link)_stale_frames", line.staleFrames, help: "Frames of sessions that are not there.")
        count("\(link)_replayed_frames", line.replayedFrames, help: "Frames seen before.")
        count("\(link)_violations", line.violations, help: "Sessions ended because a peer broke the protocol.")
        count("\(link)_silences", line.silences, help: "Sessions ended for silence.")
        count("\(link)_hung", line.hungEngines, help: "Sessions ended because an engine made no step.")
        count("\(link)_unknown_handles", line.unknownHandles, help: "Rows or cancels without a lease.")
        count("\(link)_dispatched", line.dispatched, help: "Requests dispatched or accepted.")
        count("\(link)_lost", line.lost, help: "Leases that ended with their session.")
        count("\(link)_handed_back", line.handedBack, help: "Leases that a draining station gave back.")
        count("\(link)_bad_frames", badFrames, help: "Frames that did not decode, and connections that were refused.")
        count("\(link)_unsent_frames", unsent, help: "Frames that could not be sent.")
    }
}
