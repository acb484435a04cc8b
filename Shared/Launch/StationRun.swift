public import Logging
public import ServiceLifecycle
import UnixSignals

/// A station's loop as a service: starts, waits for the end, drains.
public struct StationRun: Service {
    private let start: @Sendable () async throws -> Void
    private let drain: @Sendable () async -> Void

    public init(
        start: @escaping @Sendable () async throws -> Void, drain: @escaping @Sendable () async -> Void
    ) {
        self.start = start
        self.drain = drain
    }

    public func run() async throws {
        try await start()
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        await withGracefulShutdownHandler {
            for await _ in stream {}
        } onGracefulShutdown: {
            continuation.finish()
        }
        await drain()
    }
}

/// Runs a program's services until SIGTERM or SIGINT.
///
/// - Parameters:
///   - services: The last is stopped first.
/// - Returns: The process's exit status.
public func runStation(_ services: [any Service], logger: Logger) async -> Int32 {
    let configuration = ServiceGroupConfiguration(
        services: services.map {
            .init(
                service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
                failureTerminationBehavior: .cancelGroup)
        }, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
    do {
        try await ServiceGroup(configuration: configuration).run()
        return 0
    } catch {
        logger.critical("stopped by an error", metadata: ["error": "\(error)"])
        return 1
    }
}
