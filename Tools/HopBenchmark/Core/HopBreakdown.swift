import Telemetry
import Wire

/// A stretch of a request's way.
public struct HopStretch: Codable, Hashable, Sendable {
    /// `down` or `up`.
    public var direction: String
    /// The station that the time was spent in or, for `wire`, the one that received.
    public var station: String
    /// `wire`, `queued`, `worked` or `engine`.
    public var part: String

    init(_ segment: HopSegment) {
        direction = segment.phase == .down ? "down" : "up"
        station = Self.name(segment.station)
        part = segment.part.rawValue
    }

    init(direction: String, station: String, part: String) {
        self.direction = direction
        self.station = station
        self.part = part
    }

    /// For a `wire`, the link that it is on.
    public var link: LineLink? {
        guard part == "wire" else { return nil }
        switch (direction, station) {
        case ("down", "ingest"), ("up", "client"): return .clientIngest
        case ("down", "tokenizer"), ("up", "ingest"): return .ingestTokenizer
        case ("down", "worker"), ("up", "tokenizer"): return .tokenizerWorker
        default: return nil
        }
    }

    public var name: String { part == "wire" ? "\(direction) → \(station) wire" : "\(direction) \(station) \(part)" }

    static func name(_ role: StationRole) -> String {
        switch role {
        case .client: "client"
        case .ingest: "ingest"
        case .tokenizer: "tokenizer"
        case .inferenceWorker: "worker"
        case .accounting: "accounting"
        }
    }
}

/// A stretch of one request.
public struct StretchTime: Codable, Equatable, Sendable {
    public var stretch: HopStretch
    public var nanoseconds: Int64
}

/// Where the time of many requests went.
struct HopBreakdown {
    /// One request with its stretches in order.
    struct Request {
        var latency: UInt64
        var residual: Int64
        var stretches: [StretchTime]
    }

    private(set) var requests: [Request] = []
    /// Requests whose hop vector had gaps.
    private(set) var incomplete = 0
    private(set) var order: [HopStretch] = []
    private var latencies: [HopStretch: Latencies] = [:]
    private var bothWays: [LineLink: Latencies] = [:]

    /// Adds a request of which hop records were asked.
    mutating func add(_ sample: LineSample) {
        let vector = HopVector(
            records: sample.hops, sentAt: sample.sentAt, firstAt: sample.firstAt, lastAt: sample.lastAt)
        guard let vector else {
            incomplete += 1
            return
        }
        var stretches: [StretchTime] = []
        var sum: Int64 = 0
        var wires: [LineLink: Int64] = [:]
        for segment in vector.untilLastToken {
            let stretch = HopStretch(segment)
            stretches.append(StretchTime(stretch: stretch, nanoseconds: segment.nanoseconds))
            sum += segment.nanoseconds
            if let link = stretch.link { wires[link, default: 0] += segment.nanoseconds }
            if latencies[stretch] == nil { order.append(stretch) }
            // A negative stretch is within the clocks' uncertainty.
            latencies[stretch, default: Latencies()].record(UInt64(max(0, segment.nanoseconds)))
        }
        for (link, wire) in wires { bothWays[link, default: Latencies()].record(UInt64(max(0, wire))) }
        requests.append(
            Request(latency: sample.latency, residual: Int64(sample.latency) - sum, stretches: stretches))
    }

    func summary(of stretch: HopStretch) -> LatencySummary { (latencies[stretch] ?? Latencies()).summary }

    /// A link's wires of both directions together: the error of an estimated clock offset is in one as much more as it
    /// is in the other less.
    func summary(ofBothWaysOn link: LineLink) -> LatencySummary { (bothWays[link] ?? Latencies()).summary }

    /// The request at this place of all requests in order of their latency.
    func request(atQuantile quantile: Double) -> Request? {
        guard !requests.isEmpty else { return nil }
        let sorted = requests.sorted { $0.latency < $1.latency }
        return sorted[min(sorted.count - 1, Int((Double(sorted.count) * quantile).rounded(.down)))]
    }

    /// The residual's share of the latency, among the requests around this place: the median of one percent of all.
    func residualShare(atQuantile quantile: Double) -> Double? {
        guard !requests.isEmpty else { return nil }
        let sorted = requests.sorted { $0.latency < $1.latency }
        let middle = Double(sorted.count) * quantile
        let half = max(0.5, Double(sorted.count) * 0.005)
        let low = max(0, Int((middle - half).rounded()))
        let high = min(sorted.count, max(low + 1, Int((middle + half).rounded())))
        let around = sorted[min(low, sorted.count - 1)..<high]
        return Spread(around.map { Double($0.residual) / Double(max(1, $0.latency)) })?.median
    }
}
