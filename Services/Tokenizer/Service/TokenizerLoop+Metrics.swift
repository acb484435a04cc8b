import Line
import Station
import Tables
public import Telemetry
import Tokenization

extension TokenizerLoop {
    /// States the tokenizer's counters in `registry` from now on.
    public func publish(to registry: MetricsRegistry) {
        mirror = MetricMirror(registry, prefix: "tokenfactory_tokenizer")
    }

    func mirrorMetrics(_ now: UInt64) {
        guard let mirror, mirror.isDue(now) else { return }
        mirror.gauge("requests_held", Double(streams.count), help: "Requests held now.")
        mirror.gauge("prompts_waiting", Double(pool.waitingCount), help: "Prompts that wait to be encoded.")
        mirror.gauge("workers", Double(workers.dispatcher.peerCount), help: "Workers with a session.")
        mirror.gauge(
            "requests_waiting", Double(workers.dispatcher.waitingCount), help: "Requests that wait for a worker.")
        mirror.gauge("ledger_events_pending", Double(ledger.pending), help: "Events that accounting has not taken.")
        mirror.count("requests", counters.requests, help: "Requests taken.")
        mirror.count("questions", counters.questions, help: "Questions about tokens.")
        mirror.count("prompt_tokens", counters.promptTokens, help: "Tokens of prompts.")
        mirror.count("tokens", counters.tokens, help: "Tokens that workers sent.")
        mirror.count("cancels", counters.cancels, help: "Cancels from above.")
        mirror.count("failures", counters.failures, help: "Requests that ended with an error.")
        mirror.count("lost_attempts", counters.lostAttempts, help: "Attempts of workers that were lost.")
        mirror.count("digest_mismatches", counters.digestMismatches, help: "Answers to another prompt; refused.")
        mirror.count("misplaced_rows", counters.misplacedRows, help: "Rows whose position was not the next.")
        mirror.count("unbounded_rows", counters.unboundedRows, help: "Rows with what was not asked for.")
        mirror.count("overdue", counters.overdue, help: "Requests whose time was over.")
        mirror.count("ledger_events_lost", ledger.counters.lost, help: "Events that the spool did not take.")
        mirror.times("ingest_link", ingests.counters.times)
        mirror.times("worker_link", workers.counters.times)
        mirror.line(
            "ingest_link", ingests.side.counters, badFrames: ingests.counters.badFrames,
            unsent: ingests.counters.unsent)
        mirror.refusals("worker_link", workers.counters.refusals)
        mirror.line(
            "worker_link", workers.dispatcher.counters, badFrames: workers.counters.badFrames,
            unsent: workers.counters.unsent)
    }
}
