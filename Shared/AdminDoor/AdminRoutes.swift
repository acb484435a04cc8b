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

    /// The answer to a `GET` of `path`, or nil if it is none of these routes.
    public func response(to path: String) async -> Response? {
        switch path {
        case "/livez":
            return Self.json(.ok, "{\"status\":\"ok\"}")
        case "/healthz":
            switch await health() {
            case .ok: return Self.json(.ok, "{\"status\":\"ok\"}")
            case .failing(let reason):
                return Self.json(.serviceUnavailable, "{\"status\":\"failing\",\"reason\":\(Self.quoted(reason))}")
            }
        case "/metrics":
            return Response(
                status: .ok, headers: [.contentType: MetricsRegistry.contentType, .cacheControl: "no-store"],
                body: .init(byteBuffer: ByteBuffer(string: metrics.render())))
        default:
            return nil
        }
    }

    private static func json(_ status: HTTPResponse.Status, _ text: String) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(string: text + "\n")))
    }

    /// A JSON string literal.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
