import Foundation

/// Takes a loopback cluster down: every station drains while those that it needs still run.
public struct ClusterStopper: Sendable {
    /// How a process ended.
    public enum End: Equatable, Sendable {
        case drained
        /// It did not end within the bound.
        case killed
        /// It was not running.
        case gone
    }

    private let folder: ClusterFolder
    private let bound: Double
    private let onEvent: @Sendable (String, End) -> Void

    /// - Parameter bound: seconds in which each stage must have drained.
    public init(
        folder: ClusterFolder, bound: Double = 40, onEvent: @escaping @Sendable (String, End) -> Void = { _, _ in }
    ) {
        self.folder = folder
        self.bound = bound
        self.onEvent = onEvent
    }

    /// SIGTERM from the doors to the ledger, SIGKILL after the bound.
    ///
    /// - Returns: whether every process ended by itself.
    public func perform() async throws(FactoryError) -> Bool {
        guard let state = try folder.state() else { throw .notUp(path: folder.path) }
        var isClean = true
        for program in [ServiceProgram.ingest, .tokenizer, .inferenceWorker, .accounting] {
            let services = state.services.filter { $0.program == program }
            let running = services.filter { Self.isAlive($0) }
            for service in services where !running.contains(service) {
                onEvent(service.name, .gone)
                isClean = false
            }
            for service in running { ProcessProbe.signal(service.pid, SIGTERM) }
            _ = await ProcessProbe.wait(seconds: bound) { !running.contains { Self.isAlive($0) } }
            for service in running {
                guard Self.isAlive(service) else {
                    onEvent(service.name, .drained)
                    continue
                }
                ProcessProbe.signal(service.pid, SIGKILL)
                onEvent(service.name, .killed)
                isClean = false
            }
            _ = await ProcessProbe.wait(seconds: 5) { !running.contains { Self.isAlive($0) } }
        }
        try folder.forgetState()
        return isClean
    }

    private static func isAlive(_ service: ClusterState.Service) -> Bool {
        ProcessProbe.isAlive(service.pid, portsFile: service.portsFile)
    }
}
