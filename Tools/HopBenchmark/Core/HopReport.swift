/// What one kind of exchange gave, over all rounds.
public struct ExchangeFigures: Codable, Equatable, Sendable {
    /// Round trips.
    public var latency: LatencySummary
    public var curve: [CurvePoint]
    /// Exchanges a second, and for each second of processor that both sides used.
    public var perSecond: Spread
    public var perProcessorSecond: Spread
}

/// One hop through codec, reactor and dispatcher beside the bare ping-pong of the same frames' sizes.
public struct HopCell: Codable, Equatable, Sendable {
    public var link: HopLink
    public var mode: BenchMode
    /// Bytes of token ids in each direction, and of the two frames.
    public var bodyBytes: Int
    public var requestBytes: Int
    public var answerBytes: Int
    /// Requests under way at once.
    public var window: Int
    public var hop: ExchangeFigures
    public var floor: ExchangeFigures
    /// Hop over floor, round by round.
    public var p50Ratio: Spread
    public var p99Ratio: Spread
    public var perSecondRatio: Spread
    public var perProcessorSecondRatio: Spread

    /// A name for tables and baselines.
    public var name: String { "\(link.name).\(bodyBytes).\(mode.rawValue)" }
}

/// A run of `hopbench hop`.
public struct HopReport: Codable, Equatable, Sendable {
    public var machine: Machine
    public var floors: FloorPair
    public var rounds: Int
    public var cells: [HopCell]
}

/// What `hopbench hop` measures.
public struct HopSettings: Sendable {
    public var links = HopLink.all
    public var bodies = [64, 1024, 16_384, 262_144]
    public var modes = BenchMode.allCases
    public var rounds = 5
    /// Factor on the number of exchanges in a round.
    public var effort = 1.0

    public init() {}
}
