import Line
import Station
public import Telemetry

extension AccountingLoop {
    /// States accounting's counters in `registry` from now on.
    public func publish(to registry: MetricsRegistry) {
        mirror = MetricMirror(registry, prefix: "tokenfactory_accounting")
    }

    func mirrorMetrics(_ now: UInt64) {
        guard let mirror, mirror.isDue(now) else { return }
        mirror.gauge("producers", Double(link.dispatcher.peerCount), help: "Producers with a session.")
        mirror.count("batches", counters.batches, help: "Frames of events.")
        mirror.count("events", counters.recorded, help: "New events on disk.")
        mirror.count("duplicates", counters.duplicates, help: "Events that were on disk already.")
        mirror.count("conflicts", counters.conflicts, help: "Events that contradict others.")
        mirror.count("failures", counters.failures, help: "Groups that could not be written.")
        mirror.count("gaps", counters.gaps, help: "Ranges of events that are missing for good.")
        mirror.count("refused", counters.refused, help: "Statements that their producers may not make.")
        mirror.count("claims", counters.claims, help: "Idempotency keys that were asked for.")
        mirror.count("pauses", counters.pauses, help: "Times that too much waited for the disk to read more.")
        mirror.refusals("ledger_link", link.counters.refusals)
        mirror.times("ledger_link", link.counters.times)
        mirror.line(
            "ledger_link", link.dispatcher.counters, badFrames: link.counters.badFrames, unsent: link.counters.unsent)
    }
}
