import Foundation

/// When the requests of an open loop are due, whatever the answers do.
public enum ArrivalPattern: Equatable, Sendable {
    /// So many a second on average, as a Poisson process.
    case poisson(rate: Double)
    /// So many a second on average, with gamma-distributed gaps of shape `burstiness` (as vLLM): 1 is Poisson, below 1
    /// is burstier, above 1 more even.
    case gamma(rate: Double, burstiness: Double)
    /// So many a second, at even distances.
    case constant(rate: Double)
    /// A Poisson process whose rate changes evenly from one rate to the other over so many seconds, and then stays.
    case ramp(from: Double, to: Double, seconds: Double)
    /// At these nanoseconds after the beginning, ascending.
    case trace([UInt64])

    /// Requests a second on average; nil where that is not one number.
    public var rate: Double? {
        switch self {
        case .poisson(let rate), .gamma(let rate, _), .constant(let rate): rate
        case .ramp, .trace: nil
        }
    }

    /// Requests to send at most.
    func limit(requests: Int?, duration: Double?) -> Int {
        if case .trace(let offsets) = self { return min(requests ?? .max, offsets.count) }
        if let requests { return requests }
        return duration == nil ? Int((rate ?? 1).rounded(.up)) : .max
    }
}

/// The intended send times of an open loop, one after the other.
struct ArrivalSchedule {
    private let pattern: ArrivalPattern
    private var generator: SeededGenerator
    /// Seconds since the beginning.
    private var time = 0.0
    private var index = 0
    /// Stretches the times so that the last of a known number of requests is due when it should be on average.
    private var stretch = 1.0

    /// - Parameter requests: how many there will be, if that is known. As vLLM does, the times of a random process are
    ///   then stretched so that the last request is due after `requests / rate` seconds: the offered rate is exact.
    init(_ pattern: ArrivalPattern, requests: Int? = nil, seed: UInt64) {
        self.pattern = pattern
        generator = SeededGenerator(seed: seed)
        guard let requests, requests > 1, let rate = pattern.rate else { return }
        var rehearsal = self
        for _ in 0..<requests { rehearsal.step() }
        if rehearsal.time > 0 { stretch = Double(requests) / rate / rehearsal.time }
    }

    /// Nanoseconds from the beginning to the next request; nil: there is none.
    mutating func next() -> UInt64? {
        if case .trace(let offsets) = pattern {
            guard index < offsets.count else { return nil }
            defer { index += 1 }
            return offsets[index]
        }
        step()
        return UInt64(time * stretch * 1e9)
    }

    private mutating func step() {
        switch pattern {
        case .poisson(let rate): time += RandomVariate.exponential(using: &generator) / rate
        case .gamma(let rate, let burstiness):
            time += RandomVariate.gamma(shape: burstiness, using: &generator) / (burstiness * rate)
        case .constant(let rate): time += 1 / rate
        case .ramp(let from, let to, let seconds):
            time = Self.ramp(from, to, seconds, after: time, area: RandomVariate.exponential(using: &generator))
        case .trace: break
        }
    }

    /// When the integral of a changing rate, from `time` on, reaches `area`: the next arrival of an inhomogeneous Poisson
    /// process (Çinlar 1975).
    private static func ramp(
        _ from: Double, _ to: Double, _ seconds: Double, after time: Double, area: Double
    ) -> Double {
        guard time < seconds else { return time + area / to }
        let slope = (to - from) / seconds
        let rate = from + slope * time
        let left = (rate + to) / 2 * (seconds - time)
        guard area < left else { return seconds + (area - left) / to }
        // rate · x + slope / 2 · x² = area, solved without the cancellation of the common form.
        return time + 2 * area / (rate + (rate * rate + 2 * slope * area).squareRoot())
    }
}
