public import AdminDoor
public import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPCompression
import NIOPosix
import NIOSSL
public import ServiceLifecycle
public import Telemetry

/// The HTTP door of the ingest: OpenAI's completion API, and the operator's routes of `AdminRoutes`.
///
/// - `POST /v1/chat/completions`, `POST /v1/completions`, streamed (server-sent events) or not
/// - `POST /tokenize`, `POST /detokenize`
/// - `GET /v1/models`, `GET /v1/models/{id}`
/// - `GET /livez`, `GET /healthz` (also `/health`, `/ping`), `GET /metrics`, `GET /version`, `GET /openapi.json`
///
/// `X-Request-Id` is what the client calls its request; the operation has an id of its own (`x-operation-id`).
/// `Idempotency-Key` lets a request that is sent twice be done once. `X-Hops: 1`, or `"hops": true` in the body, brings the request's hop records with its end.
public struct OpenAIDoor: Service {
    private let configuration: DoorConfiguration
    private let backend: any CompletionBackend
    private let metrics: MetricsRegistry
    private let logger: Logger
    private let onBound: @Sendable (DoorAddress) -> Void

    /// - Parameter onBound: Told the address with its actual port, once it listens.
    public init(
        _ configuration: DoorConfiguration, backend: any CompletionBackend, metrics: MetricsRegistry, logger: Logger,
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
        if configuration.isReadable {
            logger.warning(
                "HTTP door without TLS beyond loopback: give tls-certificate and tls-key, or have a proxy before it",
                metadata: ["address": "\(configuration.address)"])
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            try await serve(on: group.next())
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
    }

    private func serve(on loop: any EventLoop) async throws {
        let (configuration, backend, metrics, logger) = (configuration, backend, metrics, logger)
        let server = try await loop.submit {
            NIOLoopBound(
                DoorServer(configuration, backend: backend, metrics: metrics, logger: logger, on: loop),
                eventLoop: loop)
        }.get()
        let end = try await loop.submit { server.value.end }.get()
        let listener: any Channel
        do {
            listener = try await bootstrap(server).bind(
                host: configuration.address.host, port: configuration.address.port
            ).get()
        } catch {
            loop.execute { server.value.stop() }
            try await end.get()
            throw error
        }
        loop.execute {
            server.value.listen(on: listener)
            server.value.startSweeping()
        }
        let bound = DoorAddress(
            host: configuration.address.host, port: listener.localAddress?.port ?? configuration.address.port)
        logger.info(
            "HTTP door listens",
            metadata: ["address": "\(bound)", "tls": "\(configuration.certificate != nil)"])
        onBound(bound)
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await end.get()
            } onGracefulShutdown: {
                loop.execute { server.value.stop() }
            }
        } onCancel: {
            loop.execute { server.value.abort() }
        }
        try await listener.closeFuture.get()
    }

    private func bootstrap(_ server: NIOLoopBound<DoorServer>) -> ServerBootstrap {
        let configuration = configuration
        return ServerBootstrap(group: server.eventLoop)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ConnectionLimit(server.value))
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(
                .socketOption(.so_sndbuf), value: ChannelOptions.Types.SocketOption.Value(configuration.sendBuffer)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    var limits = NIOHTTPDecoderLimitConfiguration()
                    limits.maxHeaderListSize = Self.headBytes
                    let decoder = HTTPRequestDecoder(
                        leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .drop,
                        limitConfiguration: limits)
                    let connection = DoorConnection(server.value)
                    if let certificate = configuration.certificate {
                        try channel.pipeline.syncOperations.addHandler(certificate.makeHandler())
                    }
                    try channel.pipeline.syncOperations.addHandlers(
                        ArrivalWatch(connection), ByteToMessageHandler(decoder),
                        NIOHTTPRequestDecompressor(limit: .size(configuration.bodyLimit)), connection)
                }
            }
    }

    /// Bytes of a request's header fields, at most.
    private static var headBytes: Int { 32 << 10 }
}
