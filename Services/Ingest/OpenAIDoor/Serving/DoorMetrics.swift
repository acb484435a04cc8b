import Telemetry

/// What an HTTP door counts.
struct DoorMetrics {
    private let registry: MetricsRegistry
    let openRequests: Gauge
    let clientsLeft: Counter
    let deliveredTokens: Counter
    let writes: Counter
    let ignoredFields: Counter
    let turnedAway: Counter
    let timeToFirstToken: BucketHistogram
    let duration: BucketHistogram
    /// Those asked for before: asking the registry takes a lock and makes strings.
    private var answers: [Answer: Counter] = [:]

    private struct Answer: Hashable {
        var route: String
        var status: Int
    }

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        openRequests = registry.gauge(
            "tokenfactory_http_open_requests", help: "Completion requests in the works at the HTTP door.")
        clientsLeft = registry.counter(
            "tokenfactory_http_clients_left_total", help: "Completion requests whose client left before the end.")
        deliveredTokens = registry.counter(
            "tokenfactory_http_delivered_tokens_total", help: "Tokens whose text a client's socket has accepted.")
        writes = registry.counter(
            "tokenfactory_http_answer_writes_total", help: "Writes of answers; each carries all tokens then ready.")
        ignoredFields = registry.counter(
            "tokenfactory_http_ignored_fields_total", help: "Fields of requests that nothing was done with.")
        turnedAway = registry.counter(
            "tokenfactory_http_connections_turned_away_total",
            help: "Connections ended without an answer to make room for others.")
        timeToFirstToken = registry.histogram(
            "tokenfactory_http_time_to_first_token_seconds", help: "From the request's body read to its first text.")
        duration = registry.histogram(
            "tokenfactory_http_request_seconds", help: "From a completion request's body read to its end.")
    }

    /// - Parameter route: Of `Route.label`.
    mutating func count(_ route: String, status: Int) {
        let answer = Answer(route: route, status: status)
        if let counter = answers[answer] { return counter.increment() }
        let counter = registry.counter(
            "tokenfactory_http_requests_total", help: "Requests answered at the HTTP door.",
            labels: ["route": route, "status": "\(status)"])
        answers[answer] = counter
        counter.increment()
    }
}
