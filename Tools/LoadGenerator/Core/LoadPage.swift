import Charts

/// A run's, or a sweep's, figures as a page that needs no network.
public struct LoadPage: Sendable {
    private let model: String
    private let command: String
    private var blocks: [Page.Block] = []

    /// - Parameter command: what was run, for the reader.
    public init(_ report: LoadReport, ledger: LedgerCheck.Result?, command: String) {
        model = report.model
        self.command = command
        add(report, ledger)
    }

    /// The rounds' medians, and all about the first.
    public init(_ rounds: RoundsReport, ledger: LedgerCheck.Result?, command: String) {
        model = rounds.rounds.first?.model ?? ""
        self.command = command
        blocks.append(
            .line(
                LineChart(
                    title: "Rounds", x: Axis("round"), y: Axis("tokens/s", format: .count(unit: "")),
                    series: [
                        .init(
                            "answer tokens/s",
                            rounds.rounds.enumerated().map { .init(Double($0 + 1), $1.outputThroughput) })
                    ])))
        for (number, report) in rounds.rounds.enumerated() {
            blocks.append(.heading("Round \(number + 1)"))
            add(report, number == 0 ? ledger : nil)
        }
    }

    public init(_ sweep: SweepReport, ledger: LedgerCheck.Result?, command: String) {
        model = sweep.steps.first?.report.model ?? ""
        self.command = command
        add(sweep)
        if let ledger { blocks.append(.paragraph(Self.text(ledger))) }
    }

    public func html() -> String {
        Page(title: "Load on \(model)", subtitle: command, blocks: blocks).html()
    }

    // MARK: A run

    private mutating func add(_ report: LoadReport, _ ledger: LedgerCheck.Result?) {
        blocks.append(.paragraph(Self.summary(report)))
        if let ledger { blocks.append(.paragraph(Self.text(ledger))) }
        if let limit = report.generatorLimit {
            blocks.append(.paragraph("The generator may have set the pace: \(limit)."))
        }
        blocks.append(.table(Self.times(report)))
        var curves = [
            ("latency", report.latency), ("TTFT", report.ttft), ("TPOT", report.tpot), ("ITL", report.itl),
        ]
        if case .open = report.settings.arrival {
            curves += [("latency from send", report.serviceLatency), ("send lag", report.sendLag)]
        }
        blocks.append(.line(Self.percentiles(curves)))
        blocks += Self.timeline(report)
        if report.settings.wantsHops, report.hops.count > 0 {
            blocks.append(.waterfall(Self.waterfall(report.hops, 50)))
            blocks.append(.waterfall(Self.waterfall(report.hops, 99)))
        }
    }

    private static func summary(_ report: LoadReport) -> String {
        var text =
            "\(report.settings.arrival). \(report.sent) requests: \(report.completed) complete, \(report.failed) failed, "
            + "\(report.refused) refused, \(report.cancelled) cancelled. "
            + "\(Figure.short(report.requestThroughput)) requests/s, \(Figure.short(report.outputThroughput)) answer "
            + "tokens/s, over \(Figure.short(report.windowSeconds)) s."
        if let goodput = report.goodput, let share = report.goodShare {
            text +=
                " Goodput (\(report.settings.goodputText)): \(Figure.short(goodput)) requests/s, "
                + "\(Figure.short(share * 100)) %."
        }
        return text
    }

    private static func text(_ ledger: LedgerCheck.Result) -> String {
        "Ledger: \(ledger.agreed) settled with the same tokens, \(ledger.ended) failed or cancelled and ended, "
            + "\(ledger.faults.count) unaccounted."
    }

    private static func times(_ report: LoadReport) -> DataTable {
        let rows = [
            ("TTFT", report.ttft), ("ITL", report.itl), ("TPOT", report.tpot), ("latency", report.latency),
            ("latency from send", report.serviceLatency), ("send lag", report.sendLag),
        ].map { name, values in
            [name]
                + [
                    values.mean, values.percentile(50), values.percentile(90), values.percentile(99),
                    values.percentile(99.9), values.maximum,
                ].map { Figure.short($0) }
        }
        return DataTable(
            title: "Times, ms",
            columns: [.init("", isText: true)] + ["mean", "p50", "p90", "p99", "p99.9", "max"].map { .init($0) },
            rows: rows)
    }

    private static func percentiles(_ curves: [(String, Distribution)]) -> LineChart {
        let quantiles = [
            0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998,
            0.999, 0.9995, 0.9999,
        ]
        let series = curves.filter { !$0.1.isEmpty }.map { name, values in
            // Beyond its last value a curve would only repeat it.
            let known = quantiles.filter { (1 - $0) * Double(values.count) >= 1 }
            return LineChart.Series(
                name,
                known.compactMap { quantile in
                    values.percentile(quantile * 100).map { .init(quantile, $0 / 1000) }
                })
        }
        return LineChart(
            title: "By percentile", x: Axis("percentile", scale: .quantile),
            y: Axis("time", scale: .log, format: .seconds), series: series)
    }

    private static func timeline(_ report: LoadReport) -> [Page.Block] {
        let bins = Timeline(report.log.records, from: report.startedAt, to: report.endedAt).bins
        func chart(_ title: String, _ name: String, _ value: (Timeline.Bin) -> Double) -> Page.Block {
            .line(
                LineChart(
                    title: title, x: Axis("time", format: .seconds), y: Axis(name, format: .count(unit: "")),
                    series: [.init(name, bins.map { .init($0.time, value($0)) })]))
        }
        return bins.isEmpty
            ? []
            : [
                chart("Tokens over time", "answer tokens/s") { $0.tokens },
                chart("Requests under way", "requests") { $0.underWay },
            ]
    }

    private static func waterfall(_ hops: HopTable, _ percent: Double) -> Waterfall {
        let kinds = ["wire", "queued", "worked", "engine"]
        let parts = hops.keys.filter { $0.phase != "last-token" }.map { key in
            (
                label: "\(key.station) \(key.part) (\(key.phase))",
                duration: (hops[key].percentile(percent) ?? 0) / 1000, kind: kinds.firstIndex(of: key.part) ?? 0
            )
        }
        return Waterfall(
            title: "To the first token, p\(Int(percent)) of each stretch",
            note: "Percentiles of stretches do not add up to the percentile of their sum.", kinds: kinds,
            segments: Waterfall.consecutive(parts))
    }

    // MARK: A sweep

    private mutating func add(_ sweep: SweepReport) {
        blocks.append(.paragraph(sweep.conclusion))
        let steps = sweep.steps
        func line(_ name: String, _ value: (LoadSweep.Step) -> Double?) -> LineChart.Series {
            .init(name, steps.compactMap { step in value(step).map { .init(step.point.offered, $0) } })
        }
        let offered = Axis("offered requests/s", format: .count(unit: ""))
        var throughput = [line("achieved") { $0.point.achieved }]
        if steps.contains(where: { $0.report.goodput != nil }) { throughput.append(line("good") { $0.report.goodput }) }
        throughput.append(line("offered") { $0.point.offered })
        blocks.append(
            .line(
                LineChart(
                    title: "Throughput by load", x: offered, y: Axis("requests/s", format: .count(unit: "")),
                    series: throughput,
                    references: sweep.knee.map { [Reference("knee", $0.achieved)] } ?? [])))
        let time = Axis("time", scale: .log, format: .seconds)
        blocks.append(
            .line(
                LineChart(
                    title: "Latency by load", note: "From when a request was due, and from when it was sent.",
                    x: offered, y: time,
                    series: [
                        line("p50") { $0.report.latency.percentile(50).map { $0 / 1000 } },
                        line("p99") { $0.report.latency.percentile(99).map { $0 / 1000 } },
                        line("p50 from send") { $0.report.serviceLatency.percentile(50).map { $0 / 1000 } },
                        line("p99 from send") { $0.report.serviceLatency.percentile(99).map { $0 / 1000 } },
                    ])))
        blocks.append(
            .line(
                LineChart(
                    title: "TTFT and TPOT by load", x: offered, y: time,
                    series: [
                        line("TTFT p50") { $0.report.ttft.percentile(50).map { $0 / 1000 } },
                        line("TTFT p99") { $0.report.ttft.percentile(99).map { $0 / 1000 } },
                        line("TPOT p50") { $0.report.tpot.percentile(50).map { $0 / 1000 } },
                        line("TPOT p99") { $0.report.tpot.percentile(99).map { $0 / 1000 } },
                    ])))
        let titles = [
            "rate", "offered", "achieved", "goodput", "good %", "TTFT p50", "TTFT p99", "TPOT p50", "TPOT p99",
            "latency p50", "latency p99", "from send p50", "from send p99", "busy", "failed", "lag p99",
        ]
        blocks.append(
            .table(
                DataTable(
                    title: "Steps, requests/s and ms", columns: titles.map { .init($0) },
                    rows: steps.map(SweepReport.cells))))
    }
}
