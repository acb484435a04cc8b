import Line
import Station
public import Telemetry

extension WorkerLoop {
    /// States the worker's counters in `registry` from now on.
    public func publish(to registry: MetricsRegistry) {
        mirror = MetricMirror(registry, prefix: "tokenfactory_worker")
    }

    func mirrorMetrics(_ now: UInt64) {
        guard let mirror, mirror.isDue(now) else { return }
        mirror.gauge("requests_held", Double(heldCount), help: "Requests held now.")
        mirror.gauge("slots", Double(tokenizers.side.slots), help: "Requests that can be held.")
        mirror.gauge("ledger_events_pending", Double(ledger.pending), help: "Events that accounting has not taken.")
        mirror.count("requests", counters.requests, help: "Requests taken.")
        mirror.count("steps", counters.steps, help: "Steps of the engine.")
        mirror.count("tokens", counters.tokens, help: "Tokens made.")
        mirror.count("prompt_tokens", counters.promptTokens, help: "Tokens of prompts.")
        mirror.count("cached_tokens", counters.cachedTokens, help: "Tokens of prompts from the prefix cache.")
        mirror.count("cancelled", counters.cancelled, help: "Requests cancelled.")
        mirror.count("tokens_after_cancel", counters.tokensAfterCancel, help: "Tokens made after their cancel came.")
        mirror.count("failures", counters.failures, help: "Requests failed.")
        mirror.count("ledger_events_lost", ledger.counters.lost, help: "Events that the spool did not take.")
        mirror.times("tokenizer_link", tokenizers.counters.times)
        mirror.line(
            "tokenizer_link", tokenizers.side.counters, badFrames: tokenizers.counters.badFrames,
            unsent: tokenizers.counters.unsent)
    }
}
