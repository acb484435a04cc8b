import Telemetry

/// What an HTTP door counts.
struct DoorMetrics: Sendable {
    private let registry: MetricsRegistry
    let openRequests: Gauge
    let clientsLeft: Counter
    let deliveredTokens: Counter
    let writes: Counter
    let timeToFirstToken: BucketHistogram
    let duration: BucketHistogram

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
        timeToFirstToken = registry.histogram(
            "tokenfactory_http_time_to_first_token_seconds", help: "From the request's body read to its first text.")
        duration = registry.histogram(
            "tokenfactory_http_request_seconds", help: "From a completion request's body read to its end.")
    }

    func count(_ route: String, status: Int) {
        registry.counter(
            "tokenfactory_http_requests_total", help: "Requests answered at the HTTP door.",
            labels: ["route": route, "status": "\(status)"]
        ).increment()
    }
}
