public import Charts
import Formats

extension ScaleReport {
    private static let services = ["ingest", "tokenizer", "inference-worker", "accounting"]

    /// Tables for people.
    public var text: String {
        var text = "\(machine.line)\n\(floors.text)\n"
        text += "Control plane only: zero-cost simulated engine, \(promptTokens) tokens in, \(maximumTokens) out, "
        text += "\(seconds) s each, \(rounds) rounds; generator on the same machine\n\n"
        var columns = TextTable(
            ["door, streams", "accounting", "tokens/s", "least", "most", "failed"]
                + Self.services.map { "\($0) CPU s/M" } + ["all"])
        for row in throughput {
            columns.add(
                [
                    "\(row.door) \(row.streams)", row.hasAccounting ? "on" : "off",
                    FigureText.count(row.tokensPerSecond.median), FigureText.count(row.tokensPerSecond.least),
                    FigureText.count(row.tokensPerSecond.most), String(row.failures),
                ] + Self.services.map { row.processorSecondsPerMillion[$0].map(FigureText.ratio) ?? "–" }
                    + [FigureText.ratio(row.allServices)])
        }
        if !throughput.isEmpty { text += "\(columns)\n\n" }
        guard !workers.isEmpty else { return text }
        var scaling = TextTable(
            ["simulated workers (modelled)", "streams", "tokens/s", "ideal", "of ideal", "failed"]
                + Self.services.map { "\($0) CPU s/M" })
        for row in workers {
            scaling.add(
                [
                    String(row.workers), String(row.streams), FigureText.count(row.tokensPerSecond.median),
                    FigureText.count(row.ideal), FigureText.ratio(row.efficiency), String(row.failures),
                ] + Self.services.map { row.processorSecondsPerMillion[$0].map(FigureText.ratio) ?? "–" })
        }
        return text + "\(scaling)\n"
    }

    /// The run as a page.
    public func page() -> Page {
        var blocks: [Page.Block] = [.table(floors.table)]
        if !floors.isStable { blocks.append(.paragraph(FloorPair.warning)) }
        for hasAccounting in [true, false] {
            let rows = throughput.filter { $0.hasAccounting == hasAccounting }
            guard !rows.isEmpty else { continue }
            let title = "accounting \(hasAccounting ? "on" : "off")"
            blocks.append(.bars(Self.rates(rows, title)))
            blocks.append(.bars(Self.costs(rows, title)))
        }
        if !workers.isEmpty { blocks.append(.line(scalingChart)) }
        return Page(title: "hopbench scale", subtitle: machine.line, blocks: blocks)
    }

    private static func rates(_ rows: [ThroughputFigures], _ title: String) -> BarChart {
        let doors = ["ZeroMQ", "HTTP", "ZeroMQ+CURVE"].filter { door in rows.contains { $0.door == door } }
        let streams = Set(rows.map(\.streams)).sorted()
        return BarChart(
            title: "Tokens per second, \(title)", y: Axis("tokens/s", format: .count(unit: "")), series: doors,
            groups: streams.map { streams in
                BarChart.Group(
                    "\(streams) streams",
                    doors.map { door in
                        rows.first { $0.door == door && $0.streams == streams }?.tokensPerSecond.median
                    })
            })
    }

    private static func costs(_ rows: [ThroughputFigures], _ title: String) -> BarChart {
        BarChart(
            title: "CPU seconds per million tokens, \(title)", y: Axis("CPU s per million tokens"), series: services,
            groups: rows.map { row in
                BarChart.Group(
                    "\(row.door) \(row.streams)", services.map { row.processorSecondsPerMillion[$0] })
            })
    }

    private var scalingChart: LineChart {
        func line(_ name: String, _ rate: (WorkerFigures) -> Double) -> LineChart.Series {
            LineChart.Series(name, workers.map { LineChart.Point(Double($0.workers), rate($0)) })
        }
        return LineChart(
            title: "Simulated workers at real time scale", note: "modelled engines; the control plane is real",
            x: Axis("workers", scale: .log, format: .count(unit: "")),
            y: Axis("tokens/s", scale: .log, format: .count(unit: "")),
            series: [line("measured", { $0.tokensPerSecond.median }), line("ideal", { $0.ideal })])
    }
}
