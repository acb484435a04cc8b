/// A sweep's figures.
public struct SweepReport: Sendable {
    /// In the order of their rates.
    public let steps: [LoadSweep.Step]
    /// nil: no rate was kept up with.
    public let knee: RatePoint?

    /// Whether no request of any step failed, came short or was miscounted; refusals are what a sweep looks for.
    public var isFlawless: Bool {
        steps.allSatisfy { $0.report.failed == 0 && $0.report.short == 0 && $0.report.mismatches.isEmpty }
    }

    /// What the ledger must say of each request.
    public var claims: [LedgerClaim] { steps.flatMap(\.report.claims) }

    /// A line for each step.
    public var table: String {
        let titles = [
            "rate", "offered", "achieved", "goodput", "good %", "TTFT p50", "p99", "TPOT p50", "p99", "latency p50",
            "p99", "from send p50", "p99", "busy", "failed", "lag p99",
        ]
        var lines = [
            "requests/s; times in ms, from when a request was due; rates and times of each step's steady window",
            line(titles, titles),
        ]
        lines += steps.map {
            line(Self.cells($0), titles) + ($0.report.generatorLimit.map { "  generator: " + $0 } ?? "")
        }
        lines.append(conclusion)
        return lines.joined(separator: "\n")
    }

    /// The knee in words.
    public var conclusion: String {
        let rule =
            "achieved at least \(Figure.short(Knee.leastAchieved)) of offered"
            + (steps.contains { $0.point.goodShare != nil }
                ? ", at least \(Figure.short(Knee.leastGood)) of the requests good" : "")
        guard let knee else { return "knee       none: no step had \(rule)" }
        let isBound = steps.last.map { Knee.holds($0.point) } ?? false
        return "knee       \(Figure.short(knee.rate)) requests/s (the highest rate with \(rule))"
            + (isBound ? "; no higher rate failed, so the true knee may be above" : "")
    }

    /// The steps' figures and the knee, as `ReportJSON` has them.
    public func json(ledger: LedgerCheck.Result?) throws -> String { try ReportJSON.text(object(ledger)) }

    func object(_ ledger: LedgerCheck.Result?) -> [String: Any] {
        var object: [String: Any] = [
            "knee_rate": knee.map { $0.rate as Any } ?? ReportJSON.null,
            "knee_throughput": knee.map { $0.achieved as Any } ?? ReportJSON.null,
            "knee_least_achieved_share": Knee.leastAchieved, "knee_least_good_share": Knee.leastGood,
            "steps": steps.map { step in
                ReportJSON(step.report, ledger: nil).object.merging(
                    ["rate": step.rate, "offered_rate": step.point.offered, "achieved_rate": step.point.achieved]
                ) { $1 }
            },
        ]
        if let ledger { object["ledger"] = ReportJSON.object(ledger) }
        return object
    }

    private func line(_ cells: [String], _ titles: [String]) -> String {
        zip(cells, titles).map { ReportTable.right($0, max(9, $1.count + 2)) }.joined()
    }

    static func cells(_ step: LoadSweep.Step) -> [String] {
        let report = step.report
        let goodShare = report.goodShare.map { $0 * 100 }
        let times = [report.ttft, report.tpot, report.latency, report.serviceLatency]
            .flatMap { [$0.percentile(50), $0.percentile(99)] }
        return [step.rate, step.point.offered, step.point.achieved, report.goodput, goodShare].map { Figure.short($0) }
            + times.map { Figure.short($0) } + [report.refused.description, report.failed.description]
            + [Figure.short(report.sendLag.percentile(99))]
    }
}
