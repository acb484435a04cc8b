import BenchmarkSupport

/// How many requests are on their way.
enum LoadMode: String, Codable, CaseIterable {
    /// One at a time, without a pause.
    case hot
    case saturated
}

/// One peer's result of one round.
struct RoundFigures {
    /// Microseconds.
    var p50: Double
    var p99: Double
    /// Requests answered per second.
    var rate: Double
    /// Requests answered per second of processor time, of both processes together.
    var ratePerCPU: Double

    init(latencies: [UInt64], wall: UInt64, cpu: UInt64) {
        let sorted = latencies.sorted()
        func percentile(_ part: Double) -> Double {
            guard !sorted.isEmpty else { return .nan }
            let rank = Int((part * Double(sorted.count)).rounded(.up))
            return Double(sorted[min(sorted.count, max(1, rank)) - 1]) / 1000
        }
        p50 = percentile(0.5)
        p99 = percentile(0.99)
        rate = Double(latencies.count) / (Double(wall) / 1e9)
        ratePerCPU = Double(latencies.count) / (Double(cpu) / 1e9)
    }
}

/// One peer's results of all rounds, and how they stand to the line's of the same round.
struct PeerFigures: Codable {
    let bytes: Int
    let mode: LoadMode
    let peer: String
    let p50Microseconds: Spread
    let p99Microseconds: Spread
    let perSecond: Spread
    let perCPUSecond: Spread
    /// The line's p50 by this peer's.
    let lineP50Ratio: Spread
    let lineP99Ratio: Spread
    /// The line's requests per processor second by this peer's.
    let linePerCPURatio: Spread

    init(bytes: Int, mode: LoadMode, peer: String, rounds: [RoundFigures], line: [RoundFigures]) {
        self.bytes = bytes
        self.mode = mode
        self.peer = peer
        p50Microseconds = Spread(rounds.map(\.p50))
        p99Microseconds = Spread(rounds.map(\.p99))
        perSecond = Spread(rounds.map(\.rate))
        perCPUSecond = Spread(rounds.map(\.ratePerCPU))
        lineP50Ratio = Spread(zip(line, rounds).map { $0.p50 / $1.p50 })
        lineP99Ratio = Spread(zip(line, rounds).map { $0.p99 / $1.p99 })
        linePerCPURatio = Spread(zip(line, rounds).map { $0.ratePerCPU / $1.ratePerCPU })
    }
}

/// All that a run found.
struct PeerReport: Codable {
    let machine: Machine
    let rounds: Int
    let seconds: Double
    let window: Int
    let figures: [PeerFigures]

    var text: String {
        var lines: [String] = []
        for bytes in Set(figures.map(\.bytes)).sorted() {
            for mode in LoadMode.allCases {
                let outstanding = mode == .hot ? 1 : window
                var table = Table([
                    "\(bytes) B, \(mode.rawValue) (\(outstanding))", "p50 µs", "p99 µs", "per s", "per CPU s",
                    "line/peer p50", "line/peer p99", "line/peer per CPU s",
                ])
                for item in figures where item.bytes == bytes && item.mode == mode {
                    table.add([
                        item.peer, item.p50Microseconds.median.text(1), item.p99Microseconds.median.text(1),
                        item.perSecond.median.text(0), item.perCPUSecond.median.text(0),
                        item.lineP50Ratio.text(2),
                        item.lineP99Ratio.text(2), item.linePerCPURatio.text(1),
                    ])
                }
                lines += ["", table.text]
            }
        }
        return lines.joined(separator: "\n")
    }
}
