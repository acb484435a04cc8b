import Telemetry
import Wire

/// Where the time of a run's requests went, station by station.
public struct HopTable: Sendable {
    /// A stretch of the way.
    public struct Key: Hashable, Sendable {
        public var station: String
        public var phase: String
        public var part: String
    }

    /// Stretches in the order in which a request goes through them.
    public private(set) var keys: [Key] = []
    private var distributions: [Key: Distribution] = [:]
    /// Requests whose hop vector was whole.
    public private(set) var count = 0
    /// Of the requests, those whose hop vector had gaps.
    public private(set) var incomplete = 0
    /// The client's latency to the last token less the sum of the stretches to it, absolute.
    public private(set) var residual = Distribution()

    public subscript(key: Key) -> Distribution { distributions[key] ?? Distribution() }

    mutating func add(_ outcome: LoadOutcome) {
        let vector = HopVector(
            records: outcome.hops, sentAt: outcome.sentAt, firstAt: outcome.firstAt, lastAt: outcome.lastAt)
        guard let vector else {
            incomplete += 1
            return
        }
        count += 1
        residual.record(vector.residual.magnitude)
        // The way down is in both; the way of the first token only in the former.
        let first = vector.untilFirstToken.filter { $0.phase == .firstToken }
        let down = vector.untilLastToken.filter { $0.phase == .down }
        let last = vector.untilLastToken.filter { $0.phase == .lastToken }
        for segment in down + first + last {
            let key = Key(
                station: segment.station.name, phase: segment.phase.name, part: segment.part.rawValue)
            if distributions[key] == nil { keys.append(key) }
            // A negative stretch is within the clocks' uncertainty.
            distributions[key, default: Distribution()].record(UInt64(max(0, segment.nanoseconds)))
        }
    }
}
