public import Logging
public import ServiceLifecycle
public import Station

/// Replays abandoned spools for as long as the station runs.
public struct SpoolReplayService: Service {
    private let configuration: SpoolReplay.Configuration
    private let log: Logger

    public init(_ configuration: SpoolReplay.Configuration, log: Logger) {
        self.configuration = configuration
        self.log = log
    }

    /// Returns when the group shuts down.
    public func run() async {
        await cancelWhenGracefulShutdown { await SpoolReplay.run(configuration, log: log) }
    }
}
