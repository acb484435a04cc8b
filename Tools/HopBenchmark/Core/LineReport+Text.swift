public import Charts
import Formats

extension LineReport {
    /// Tables for people.
    public var text: String {
        var text = "\(machine.line)\n\(floors.text)\n"
        text +=
            "One stream, prompts of \(promptTokens) token ids, one token, zero-cost simulated engine, accounting "
        text += "\(hasAccounting ? "on" : "off"), beside a "
        text += "bare C relay chain (client, two relays, "
        text += "echo; \(messageBytes[0]) B down, \(messageBytes[1]) B up):\n"
        text += "latency in µs, \(rounds) rounds in alternation, ratios are medians of rounds (least–most)\n\n"
        text += doorTable + "\n" + hopTable + "\n"
        text += "residual (client latency less the sum of hops, of the latency): "
        text += "\(Self.percent(hops.residualAtP50)) at p50, \(Self.percent(hops.residualAtP99)) at p99, over "
        text += "\(hops.requests) requests (\(hops.incomplete) incomplete); at most "
        text += "\(Self.percent(Self.residualLimit)) is wanted\n"
        text += "stamping on / off, p50: \(FigureText.ratio(stampingRatio))\n"
        return text
    }

    private var doorTable: String {
        var columns = TextTable(["door", "mode", "n", "p50", "p90", "p99", "p99.9", "max", "p50 ratio", "p99 ratio"])
        for door in doors {
            columns.add(
                [door.door, door.mode.rawValue, String(door.latency.count)] + FigureText.row(door.latency)
                    + [FigureText.ratio(door.p50Ratio), FigureText.ratio(door.p99Ratio)])
        }
        for mode in BenchMode.allCases {
            for isEncrypted in [false, true] {
                let door = doors.first { $0.mode == mode && $0.isEncrypted == isEncrypted }
                guard let chain = door?.chain else { continue }
                columns.add(
                    [Self.chainName(isEncrypted), mode.rawValue, String(chain.count)] + FigureText.row(chain) + [
                        "", "",
                    ])
            }
        }
        return "\(columns)\n"
    }

    private static func chainName(_ isEncrypted: Bool) -> String {
        isEncrypted ? "C relay chain+CURVE" : "C relay chain"
    }

    private var hopTable: String {
        var columns = TextTable(["hop (first mode), µs", "p50", "p90", "p99", "p99.9", "max"])
        for figures in hops.stretches { columns.add([figures.stretch.name] + FigureText.row(figures.latency)) }
        var links = TextTable(["wires, both ways", "p50", "p90", "p99", "p99.9", "max", "p50 / ping-pong"])
        for figures in hops.links {
            links.add(
                [figures.link.rawValue] + FigureText.row(figures.latency) + [FigureText.ratio(figures.overPingPong)])
        }
        links.add(["(bare ping-pong)"] + FigureText.row(hops.pingPong) + ["1.00"])
        return "\(columns)\n\n\(links)\n"
    }

    static func percent(_ share: Double) -> String { "\(FigureText.ratio(share * 100)) %" }

    /// The run as a page.
    public func page() -> Page {
        var blocks: [Page.Block] = [
            .paragraph(
                "One stream, prompts of \(promptTokens) token ids, one token, zero-cost simulated engine, beside a bare C "
                    + "relay chain through as many processes, in \(rounds) rounds in alternation."),
            .table(floors.table),
        ]
        if !floors.isStable { blocks.append(.paragraph(FloorPair.warning)) }
        for mode in BenchMode.allCases {
            let doors = doors.filter { $0.mode == mode }
            guard !doors.isEmpty else { continue }
            let chains = [false, true].compactMap { isEncrypted in
                doors.first { $0.isEncrypted == isEncrypted }.map {
                    LineChart.Series(Self.chainName(isEncrypted), points($0.chainCurve))
                }
            }
            let lines = doors.map { LineChart.Series("\($0.door) door", points($0.curve)) } + chains
            blocks.append(
                .line(
                    LineChart(
                        title: "Latency of one token, \(mode.rawValue)",
                        note: doors.map { "\($0.door): p50 \(FigureText.ratio($0.p50Ratio)) times the chain" }
                            .joined(separator: "; "),
                        x: Axis("percentile", scale: .quantile), y: Axis("latency", scale: .log, format: .seconds),
                        series: lines)))
        }
        blocks += hops.typical.map { .waterfall(Self.waterfall($0)) }
        blocks.append(.table(stretchTable))
        blocks.append(
            .paragraph(
                "Residual: \(Self.percent(hops.residualAtP50)) at p50, \(Self.percent(hops.residualAtP99)) at p99. "
                    + "Stamping on over off: \(FigureText.ratio(stampingRatio))."))
        return Page(title: "hopbench line", subtitle: machine.line, blocks: blocks)
    }

    private static let parts = ["wire", "queued", "worked", "engine", "residual"]

    private static func waterfall(_ request: TypicalRequest) -> Waterfall {
        var stretches: [(label: String, duration: Double, kind: Int)] = request.stretches.map { time in
            let kind = parts.firstIndex(of: time.stretch.part) ?? 0
            return (time.stretch.name, Double(time.nanoseconds) / 1e9, kind)
        }
        stretches.append(("residual (client)", Double(request.residualNanoseconds) / 1e9, 4))
        return Waterfall(
            title: request.quantile == 0.5 ? "The median request" : "The p\(Int(request.quantile * 100)) request",
            note: "latency \(FigureText.micros(Double(request.latencyNanoseconds))) µs", kinds: parts,
            segments: Waterfall.consecutive(stretches))
    }

    private var stretchTable: DataTable {
        DataTable(
            title: "Hops, µs",
            columns: [DataTable.Column("stretch", isText: true)]
                + ["p50", "p90", "p99", "p99.9", "max"].map { DataTable.Column($0) },
            rows: hops.stretches.map { [$0.stretch.name] + FigureText.row($0.latency) }
                + hops.links.map { ["\($0.link.rawValue) wires, both ways"] + FigureText.row($0.latency) }
                + [["bare ping-pong"] + FigureText.row(hops.pingPong)])
    }
}

extension DelayReport {
    /// A table for people, and the verdict.
    public var text: String {
        var text = "\(machine.line)\n\(microseconds) µs more on \(link.rawValue), each way; p50 in µs over \(requests) "
        text += "requests\n\n"
        var columns = TextTable(["stretch", "without", "with", "growth", ""])
        for stretch in stretches {
            columns.add([
                stretch.stretch.name, FigureText.micros(stretch.withoutNanoseconds),
                FigureText.micros(stretch.withNanoseconds),
                FigureText.micros(stretch.withNanoseconds - stretch.withoutNanoseconds),
                (stretch.isDelayed ? "delayed" : "") + (stretch.isAsExpected ? "" : " WRONG"),
            ])
        }
        return text + "\(columns)\n"
            + (isRight ? "\nthe delay shows in its own hop and in no other\n" : "\nWRONG: see above\n")
    }
}
