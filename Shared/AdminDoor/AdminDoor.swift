public import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
public import ServiceLifecycle
public import Telemetry

/// The HTTP door of a service that has no other: health, metrics, and whatever routes the service adds.
public struct AdminDoor: Service {
    private let address: DoorAddress
    private let connections: Int
    private let routes: AdminRoutes
    private let addRoutes: @Sendable (Router<BasicRequestContext>) -> Void
    private let onBound: @Sendable (DoorAddress) -> Void
    private let logger: Logger

    /// - Parameters:
    ///   - connections: As many at once are served; more wait in the listen queue.
    ///   - health: Runs once for each `/healthz`; bounds its own time.
    ///   - addRoutes: Adds the service's own routes.
    ///   - onBound: Told the address with its actual port, once it listens.
    public init(
        address: DoorAddress, connections: Int = 1024, metrics: MetricsRegistry, logger: Logger,
        health: @escaping @Sendable () async -> HealthReport,
        addRoutes: @escaping @Sendable (Router<BasicRequestContext>) -> Void = { _ in },
        onBound: @escaping @Sendable (DoorAddress) -> Void = { _ in }
    ) {
        self.address = address
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
            server: .http1(configuration: .init(idleTimeout: .seconds(60))),
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
}
