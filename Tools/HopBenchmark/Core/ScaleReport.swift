/// Throughput of one door with so many streams.
public struct ThroughputFigures: Codable, Equatable, Sendable {
    public var door: String
    public var streams: Int
    public var hasAccounting: Bool
    public var tokensPerSecond: Spread
    /// Requests that did not come back whole, all rounds.
    public var failures: Int
    /// Processor seconds of each kind of service for a million tokens; medians of the rounds.
    public var processorSecondsPerMillion: [String: Double]

    /// All services together.
    public var allServices: Double { processorSecondsPerMillion.values.reduce(0, +) }
}

/// So many simulated workers at real time scale.
public struct WorkerFigures: Codable, Equatable, Sendable {
    public var workers: Int
    public var streams: Int
    public var tokensPerSecond: Spread
    /// The rate of one worker, in this run, times their number.
    public var ideal: Double
    public var failures: Int
    /// As in ``ThroughputFigures``.
    public var processorSecondsPerMillion: [String: Double]

    public var efficiency: Double { ideal > 0 ? tokensPerSecond.median / ideal : 0 }
}

/// A run of `hopbench scale`.
public struct ScaleReport: Codable, Equatable, Sendable {
    public var machine: Machine
    public var floors: FloorPair
    public var promptTokens: Int
    public var maximumTokens: Int
    public var seconds: Double
    public var rounds: Int
    public var throughput: [ThroughputFigures]
    public var workers: [WorkerFigures]
}

/// What `hopbench scale` measures.
public struct ScaleSettings: Sendable {
    public var programs: String
    /// wrk, for the HTTP door; nil leaves that out.
    public var wrk: String?
    public var streams = [64, 256, 1024, 4096]
    /// Accounting on, off.
    public var accounting = [true, false]
    /// The ZeroMQ door once more with CURVE on every link.
    public var hasCURVE = false
    /// Numbers of simulated workers; empty leaves them out.
    public var workers = [1, 2, 4, 8, 16, 32, 64]
    public var streamsPerWorker = 16
    public var promptTokens = 32
    public var maximumTokens = 128
    /// Of each measurement.
    public var seconds = 3.0
    public var rounds = 1

    public init(programs: String) { self.programs = programs }
}
