public import AdminDoor
import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle
public import Telemetry

/// The HTTP door of the ingest: OpenAI's completion API, and the operator's routes of `AdminRoutes`.
///
/// - `POST /v1/chat/completions`, `POST /v1/completions`, streamed (server-sent events) or not
/// - `GET /v1/models`, `GET /v1/models/{id}`
/// - `GET /livez`, `GET /healthz`, `GET /metrics`
///
/// `X-Request-ID` (32 hexadecimal digits or a UUID) names a request, so that a repeated one is not done twice; without
/// it the door makes an id. `X-Hops: 1`, or `"hops": true` in the body, brings the request's hop records with its end.
public struct OpenAIDoor<Backend: CompletionBackend>: Service {
    private let configuration: DoorConfiguration
    private let backend: Backend
    private let metrics: MetricsRegistry
    private let logger: Logger
    private let onBound: @Sendable (DoorAddress) -> Void

    /// - Parameter onBound: Told the address with its actual port, once it listens.
    public init(
        _ configuration: DoorConfiguration, backend: Backend, metrics: MetricsRegistry, logger: Logger,
        onBound: @escaping @Sendable (DoorAddress) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.backend = backend
        self.metrics = metrics
        self.logger = logger
        self.onBound = onBound
    }

    /// Serves until the service group shuts down: then takes no new connections and ends when open requests have.
    ///
    /// - Throws: `DoorConfiguration.Exposed`, or why it cannot listen.
    public func run() async throws {
        try configuration.checkExposure()
        if configuration.keys == nil {
            logger.warning(
                "HTTP door without API keys: it listens on loopback only",
                metadata: ["address": "\(configuration.address)", "tenant": "\(configuration.openTenant)"])
        }
        let backend = backend
        let doorMetrics = DoorMetrics(metrics)
        let responder = DoorResponder(
            configuration: configuration, backend: backend,
            admin: AdminRoutes(metrics: metrics) { await backend.probe() },
            completions: CompletionHandler(configuration: configuration, backend: backend, metrics: doorMetrics),
            metrics: doorMetrics)
        let address = configuration.address
        let onBound = onBound
        let logger = logger
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let application = Application(
            responder: responder,
            server: .http1(
                configuration: .init(
                    additionalChannelHandlers: [ConnectionWatch()],
                    idleTimeout: TimeAmount(configuration.idleTimeout))),
            configuration: .init(
                address: .hostname(address.host, port: address.port), backlog: 1024,
                availableConnectionsDelegate: MaximumAvailableConnections(configuration.maximumConnections)),
            onServerRunning: { channel in
                let bound = DoorAddress(host: address.host, port: channel.localAddress?.port ?? address.port)
                logger.info("HTTP door listens", metadata: ["address": "\(bound)"])
                onBound(bound)
            },
            eventLoopGroupProvider: .shared(group),
            logger: logger)
        do {
            try await withTaskExecutorPreference(EventLoopExecutor(group.next())) { try await application.run() }
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
    }
}
