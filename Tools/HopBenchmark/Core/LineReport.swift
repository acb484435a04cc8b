/// One door, beside the relay chain, in one mode.
public struct DoorFigures: Codable, Equatable, Sendable {
    public var door: String
    public var mode: BenchMode
    public var latency: LatencySummary
    public var curve: [CurvePoint]
    public var chain: LatencySummary
    public var chainCurve: [CurvePoint]
    /// Door over chain, round by round.
    public var p50Ratio: Spread
    public var p99Ratio: Spread
    /// Over CURVE, line and chain alike.
    public var isEncrypted = false
}

/// A stretch over all requests.
public struct StretchFigures: Codable, Equatable, Sendable {
    public var stretch: HopStretch
    public var latency: LatencySummary
}

/// A link's wires of both directions together, which no error of a clock offset is in.
public struct LinkFigures: Codable, Equatable, Sendable {
    public var link: LineLink
    public var latency: LatencySummary
    /// Its p50 over that of a round trip that was measured on its own.
    public var overPingPong: Double
}

/// A request that stands for others.
public struct TypicalRequest: Codable, Equatable, Sendable {
    /// Its place among all in order of their latency.
    public var quantile: Double
    public var latencyNanoseconds: UInt64
    public var residualNanoseconds: Int64
    public var stretches: [StretchTime]
}

/// Where the time went.
public struct HopFigures: Codable, Equatable, Sendable {
    public var requests: Int
    public var incomplete: Int
    public var stretches: [StretchFigures]
    public var links: [LinkFigures]
    /// A bare ping-pong over the same transport, measured on its own.
    public var pingPong: LatencySummary
    /// Client latency (encoding and decoding included) less the sum of hops, over the latency, around p50 and p99.
    public var residualAtP50: Double
    public var residualAtP99: Double
    public var typical: [TypicalRequest]
}

/// A run of `hopbench line`.
public struct LineReport: Codable, Equatable, Sendable {
    public var machine: Machine
    public var floors: FloorPair
    public var rounds: Int
    public var hasAccounting: Bool
    /// Token ids of a prompt.
    public var promptTokens: Int
    /// Bytes of a relayed message down and up: those of a request and of its answer.
    public var messageBytes: [Int]
    public var doors: [DoorFigures]
    public var hops: HopFigures
    /// Latency with hop records over latency without, round by round, at p50.
    public var stampingRatio: Spread

    /// The residual that an honest hop vector may have.
    public static let residualLimit = 0.01
}

/// What `hopbench line` measures.
public struct LineBenchSettings: Sendable {
    /// Folder of the services' programs; for a cluster that is started here.
    public var programs: String
    /// A cluster that runs already: its ZeroMQ door (`tcp://HOST:PORT`), and its HTTP door (`HOST:PORT`) or nil.
    public var running: (door: String, http: String?)?
    /// API key of a running cluster; empty for a door without keys.
    public var key = ""
    /// Public CURVE key of a running cluster's ZeroMQ door, in Z85; empty for a plain door.
    public var serverKey = ""
    /// For a cluster that is started here.
    public var hasAccounting = true
    /// Beside it a second one with CURVE on every link, and a relay chain with CURVE.
    public var hasCURVE = false
    /// Token ids of a prompt, four bytes each.
    public var promptTokens = 32
    public var modes: [BenchMode] = [.hot, .idle]
    public var rounds = 5
    /// Requests of each kind in a hot round.
    public var requests = 2000
    /// Requests of each kind in an idle round.
    public var idleRequests = 100

    public init(programs: String) { self.programs = programs }
}

/// A stretch with and without a delay on one link.
public struct DelayedStretch: Codable, Equatable, Sendable {
    public var stretch: HopStretch
    public var withoutNanoseconds: Double
    public var withNanoseconds: Double
    /// Whether the delay belongs here.
    public var isDelayed: Bool
    public var isAsExpected: Bool
}

/// A run of `hopbench line --inject-delay`.
public struct DelayReport: Codable, Equatable, Sendable {
    public var machine: Machine
    public var link: LineLink
    public var microseconds: Int
    public var requests: Int
    public var stretches: [DelayedStretch]

    /// Whether the delay shows in its own hop, both ways, and in no other.
    public var isRight: Bool { stretches.count { $0.isDelayed } == 2 && stretches.allSatisfy(\.isAsExpected) }
}
