public import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
public import ServiceLifecycle
public import Telemetry

/// The HTTP door of a service that has no other: health, metrics, and whatever routes the service adds.
public struct AdminDoor: Service {
    private let address: DoorAddress
    private let certificate: DoorCertificate?
    private let connections: Int
    private let routes: AdminRoutes
    private let addRoutes: @Sendable (Router<BasicRequestContext>) -> Void
    private let onBound: @Sendable (DoorAddress) -> Void
    private let logger: Logger

    /// - Parameters:
    ///   - certificate: Makes it TLS; nil for plain HTTP.
    ///   - connections: As many at once are served; more wait in the listen queue.
    ///   - health: Runs once for each `/healthz`; bounds its own time.
    ///   - addRoutes: Adds the service's own routes.
    ///   - onBound: Told the address with its actual port, once it listens.
    public init(
        address: DoorAddress, certificate: DoorCertificate? = nil, connections: Int = 1024,
        metrics: MetricsRegistry, logger: Logger,
        health: @escaping @Sendable () async -> HealthReport,
        addRoutes: @escaping @Sendable (Router<BasicRequestContext>) -> Void = { _ in },
        onBound: @escaping @Sendable (DoorAddress) -> Void = { _ in }
    ) {
        self.address = address
        self.certificate = certificate
        self.connections = connections
        self.routes = AdminRoutes(metrics: metrics, health: health)
        self.addRoutes = addRoutes
        self.onBound = onBound
        self.logger = logger
    }

    /// Serves until the service group shuts down; throws if it cannot listen.
    public func run() async throws {
        let router = Router(context: BasicRequestContext.self)
        for path in ["/livez", "/healthz", "/metrics"] {
            let routes = routes
            router.get(RouterPath(path)) { _, _ in
                await routes.response(to: path) ?? Response(status: .notFound)
            }
        }
        addRoutes(router)
        let address = address
        let onBound = onBound
        let logger = logger
        let application = Application(
            router: router,
            server: server,
            configuration: .init(
                address: .hostname(address.host, port: address.port),
                availableConnectionsDelegate: MaximumAvailableConnections(connections)),
            onServerRunning: { channel in
                let bound = DoorAddress(host: address.host, port: channel.localAddress?.port ?? address.port)
                logger.info("admin door listens", metadata: ["address": "\(bound)"])
                onBound(bound)
            },
            logger: logger)
        try await application.run()
    }

    private var server: HTTPServerBuilder {
        let configuration = HTTP1Channel.Configuration(idleTimeout: .seconds(60))
        guard let certificate else { return .http1(configuration: configuration) }
        return HTTPServerBuilder { responder in
            SecureChannel(
                base: HTTP1Channel(responder: responder, configuration: configuration), certificate: certificate)
        }
    }
}
