/// Several runs of the same load: medians, and how far they spread.
public struct RoundsReport: Sendable {
    public let rounds: [LoadReport]

    /// - Parameter rounds: one or more.
    public init(_ rounds: [LoadReport]) { self.rounds = rounds }

    public var isFlawless: Bool { rounds.allSatisfy(\.isFlawless) }
    public var claims: [LedgerClaim] { rounds.flatMap(\.claims) }

    /// Median, least and most of some values; nil of none.
    static func spread(_ values: [Double]) -> (median: Double, least: Double, most: Double)? {
        let sorted = values.sorted()
        guard let least = sorted.first, let most = sorted.last else { return nil }
        let middle = sorted.count / 2
        let median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        return (median, least, most)
    }

    /// A line for each figure.
    public var table: String {
        let figures: [(String, (LoadReport) -> Double?)] = [
            ("requests/s", { $0.requestThroughput }), ("out tokens/s", { $0.outputThroughput }),
            ("goodput/s", { $0.goodput }), ("TTFT p50 ms", { $0.ttft.percentile(50) }),
            ("TTFT p99 ms", { $0.ttft.percentile(99) }), ("TPOT p50 ms", { $0.tpot.percentile(50) }),
            ("TPOT p99 ms", { $0.tpot.percentile(99) }), ("latency p50 ms", { $0.latency.percentile(50) }),
            ("latency p99 ms", { $0.latency.percentile(99) }),
        ]
        var lines = ["\(rounds.count) rounds            median      least       most"]
        for (name, value) in figures {
            guard let spread = Self.spread(rounds.compactMap(value)) else { continue }
            lines.append(
                name + String(repeating: " ", count: max(1, 15 - name.count))
                    + [spread.median, spread.least, spread.most].map { ReportTable.right(Figure.short($0), 11) }
                    .joined())
        }
        return lines.joined(separator: "\n")
    }

    /// Each figure of `ReportJSON` as the median of the rounds that have it; `spread` has the least and the most,
    /// `rounds` all of them.
    public func json(ledger: LedgerCheck.Result?) throws -> String { try ReportJSON.text(object(ledger)) }

    func object(_ ledger: LedgerCheck.Result?) -> [String: Any] {
        let objects = rounds.map { ReportJSON($0, ledger: nil).object }
        guard var result = objects.first else { return [:] }
        var spreads: [String: Any] = [:]
        for key in result.keys {
            let values =
                objects.compactMap { $0[key] as? Double } + objects.compactMap { ($0[key] as? Int).map(Double.init) }
            guard let spread = Self.spread(values) else { continue }
            result[key] = spread.median
            spreads[key] = ["least": spread.least, "most": spread.most]
        }
        result["spread"] = spreads
        result["rounds"] = objects
        if let ledger { result["ledger"] = ReportJSON.object(ledger) }
        return result
    }
}
