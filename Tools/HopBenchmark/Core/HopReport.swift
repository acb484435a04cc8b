/// What one kind of exchange gave, over all rounds.
public struct ExchangeFigures: Codable, Equatable, Sendable {
    /// Round trips.
    public var latency: LatencySummary
    public var curve: [CurvePoint]
    /// Exchanges a second, and for each second of processor that both sides used.
    public var perSecond: Spread
    public var perProcessorSecond: Spread
}

/// Another way to do the same exchange, measured in the same rounds.
public struct PeerFigures: Codable, Equatable, Sendable {
    /// Such as `gRPC unary`.
    public var name: String
    public var figures: ExchangeFigures
    /// Hop over peer, round by round.
    public var p50Ratio: Spread
    /// Nil if rounds had fewer than a hundred samples.
    public var p99Ratio: Spread?
    public var perSecondRatio: Spread
    public var perProcessorSecondRatio: Spread
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
    /// gRPC over the same transport, where it was measured.
    public var peers: [PeerFigures] = []
    /// Peers that did not get through all rounds, and why.
    public var failedPeers: [String] = []

    /// A name for tables and baselines.
    public var name: String { "\(link.name).\(bodyBytes).\(mode.rawValue)" }
}

/// A run of `hopbench hop`.
public struct HopReport: Codable, Equatable, Sendable {
    public var machine: Machine
    public var floors: FloorPair
    public var rounds: Int
    /// Nil: processes ran where the scheduler put them.
    public var pinned: CoreSplit?
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
    /// The program `grpc-bench`, if gRPC is to be measured beside it.
    public var grpc: String?
    /// Where processes may run; nil leaves it to the scheduler.
    public var cores: CoreSplit?

    public init() {}

    /// Where `grpc-bench` lies when it was built from the same checkout.
    public static func findGRPC() -> String? { GRPCPeer.find() }
}
