/// How requests are sent in a round.
public enum BenchMode: String, Codable, CaseIterable, Sendable {
    /// One at a time, with a pause before each: the machine has gone to sleep.
    case idle
    /// One at a time, the next as soon as the answer is there.
    case hot
    /// Many under way at once.
    case saturated
}

/// One round of exchanges.
struct ExchangeRound: Equatable, Sendable {
    /// Bytes of token ids in the request and in its answer.
    var bodyBytes: Int
    /// Exchanges before the first that counts.
    var warmup: Int
    /// Exchanges that count.
    var count: Int
    /// Requests under way at once.
    var window: Int
    var pauseMicroseconds: UInt32
    /// How long a peer sends requests that count, if it is given a time instead of a count.
    var milliseconds: Int

    /// A round that suits the mode.
    ///
    /// - Parameter effort: 1 is usual; more makes rounds longer.
    init(_ mode: BenchMode, bodyBytes: Int, effort: Double) {
        self.bodyBytes = bodyBytes
        // Large bodies take so much longer that fewer make the same round; a p99 needs a hundred.
        let weight = max(1, Double(bodyBytes) / 4096)
        func many(_ number: Double, least: Int) -> Int { max(least, Int(number * effort / weight)) }
        milliseconds = Int(max(50, (mode == .idle ? 700 : 400) * effort))
        switch mode {
        case .idle:
            (warmup, count, window, pauseMicroseconds) = (5, max(100, Int(100 * effort)), 1, 3000)
        case .hot:
            (warmup, count, window, pauseMicroseconds) = (many(300, least: 20), many(3000, least: 100), 1, 0)
        case .saturated:
            (warmup, count, window, pauseMicroseconds) = (
                many(4000, least: 40), many(20_000, least: 200), bodyBytes > 65_536 ? 16 : 64, 0
            )
        }
    }
}

/// What came of a round.
struct ExchangeResult: Sendable {
    /// Round trips in nanoseconds.
    var samples: [UInt64]
    /// Nanoseconds from the first request that counts to the last answer.
    var elapsed: UInt64
    /// Processor nanoseconds of both sides.
    var processor: UInt64 = 0
    /// Exchanges that this processor time went into: with those of a warm-up, where it is counted too.
    var exchanges = 0

    var perSecond: Double { elapsed > 0 ? Double(samples.count) / Double(elapsed) * 1e9 : 0 }

    var perProcessorSecond: Double { processor > 0 ? Double(exchanges) / Double(processor) * 1e9 : 0 }
}
