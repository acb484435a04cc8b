import Formats
public import Hummingbird
public import Telemetry

/// The routes that operators and orchestrators ask, the same on every HTTP door.
///
/// - `/livez`: the process runs; containers start by it.
/// - `/healthz`: a probe through the data path; 503 with the reason if it fails.
/// - `/metrics`: Prometheus' text format.
public struct AdminRoutes: Sendable {
    private let metrics: MetricsRegistry
    private let health: @Sendable () async -> HealthReport

    /// - Parameter health: Runs once for each `/healthz`; bounds its own time.
    public init(metrics: MetricsRegistry, health: @escaping @Sendable () async -> HealthReport) {
        self.metrics = metrics
        self.health = health
    }

    /// What one of these routes says; not to be kept by caches.
    public struct Answer: Sendable {
        /// HTTP's.
        public let status: Int
        public let contentType: String
        public let body: String
    }

    /// The answer to a `GET` of `path`, or nil if it is none of these routes.
    public func answer(to path: String) async -> Answer? {
        switch path {
        case "/livez": return Self.json(200, "{\"status\":\"ok\"}")
        case "/healthz":
            switch await health() {
            case .ok: return Self.json(200, "{\"status\":\"ok\"}")
            case .failing(let reason):
                return Self.json(503, "{\"status\":\"failing\",\"reason\":\(JSONText.literal(reason))}")
            }
        case "/metrics":
            return Answer(status: 200, contentType: MetricsRegistry.contentType, body: metrics.render())
        default: return nil
        }
    }

    /// `answer(to:)` for Hummingbird.
    public func response(to path: String) async -> Response? {
        guard let answer = await answer(to: path) else { return nil }
        return Response(
            status: HTTPResponse.Status(code: answer.status),
            headers: [.contentType: answer.contentType, .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(string: answer.body)))
    }

    private static func json(_ status: Int, _ text: String) -> Answer {
        Answer(status: status, contentType: "application/json", body: text + "\n")
    }
}
