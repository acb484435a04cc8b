import Line
import Station
import Tables
public import Telemetry

extension IngestLoop {
    /// States the ingest's counters in `registry` from now on.
    public func publish(to registry: MetricsRegistry) {
        mirror = MetricMirror(registry, prefix: "tokenfactory_ingest")
    }

    func mirrorMetrics(_ now: UInt64) {
        guard let mirror, mirror.isDue(now) else { return }
        mirror.gauge("bytes_held", Double(heldBytes), help: "Bytes that requests take, at most.")
        mirror.gauge("requests_held", Double(requests.count), help: "Requests held now.")
        mirror.gauge(
            "answers_unread", Double(unread.count), help: "Answers that wait for an HTTP client to take them.")
        mirror.gauge(
            "requests_waiting", Double(tokenizers.dispatcher.waitingCount), help: "Requests that wait for a tokenizer.")
        mirror.gauge(
            "oldest_wait_seconds", Double(tokenizers.dispatcher.oldestWait(now: now)) / 1e9,
            help: "How long the request that waits longest has waited.")
        mirror.gauge("tokenizers", Double(tokenizers.dispatcher.peerCount), help: "Tokenizers with a session.")
        mirror.gauge("clients", Double(clients.dispatcher.peerCount), help: "Clients of the ZeroMQ door.")
        mirror.gauge("ledger_events_pending", Double(ledger.pending), help: "Events that accounting has not taken.")
        mirror.count("admitted", counters.admitted, help: "Requests admitted.")
        mirror.count("busy", counters.busy, help: "Requests refused since too many wait.")
        mirror.count("refused", counters.refused, help: "Requests refused for another reason.")
        mirror.count("finished", counters.finished, help: "Requests answered.")
        mirror.count("cancelled", counters.cancelled, help: "Requests cancelled.")
        mirror.count("failed", counters.failed, help: "Requests failed.")
        mirror.count("overdue", counters.overdue, help: "Requests whose client's time was over.")
        mirror.count("redispatched", counters.redispatched, help: "Requests sent down again.")
        mirror.count("tokens_delivered", counters.delivered, help: "Tokens given to clients.")
        mirror.count("tokens_undelivered", counters.undelivered, help: "Tokens for clients who had left.")
        mirror.count("misplaced_rows", counters.misplacedRows, help: "Rows whose position was not the next.")
        mirror.count("ledger_events_lost", ledger.counters.lost, help: "Events that the spool did not take.")
        mirror.refusals("client_door", clients.counters.refusals)
        mirror.times("client_door", clients.counters.times)
        mirror.times("tokenizer_link", tokenizers.counters.times)
        mirror.line(
            "client_door", clients.dispatcher.counters, refused: clients.counters.refused,
            unsent: clients.counters.unsent)
        mirror.refusals("tokenizer_link", tokenizers.counters.refusals)
        mirror.line(
            "tokenizer_link", tokenizers.dispatcher.counters, refused: tokenizers.counters.refused,
            unsent: tokenizers.counters.unsent)
    }
}
