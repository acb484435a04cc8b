public import Charts

extension FloorPair {
    /// Lines for people.
    var text: String {
        var columns = TextColumns(["wake-up floor, µs"] + Self.headings)
        for (name, floor) in [("before", before), ("after", after)] {
            columns.add([name] + Self.row(floor))
        }
        return columns.text + (isStable ? "" : Self.warning + "\n")
    }

    fileprivate static let headings = ["one core p50", "p99", "two cores p50", "p99", "idle p50", "p99"]

    fileprivate static func row(_ floor: WakeFloor) -> [String] {
        [floor.oneCore, floor.warm, floor.idle].flatMap { [$0.p50, $0.p99] }.map(FigureText.micros)
    }

    static let warning =
        "NOT COMPARABLE: the wake-up floor changed by more than a factor of 2 during this run."
}

extension HopReport {
    /// Tables for people.
    public var text: String {
        var text = "\(machine.line)\n\(floors.text)\n"
        text +=
            "One hop through codec, reactor and dispatcher beside a bare libzmq ping-pong of the same frame sizes:\n"
        text += "round trips in µs, \(rounds) rounds in alternation, ratios are medians of rounds (least–most)\n\n"
        for mode in BenchMode.allCases {
            let cells = cells.filter { $0.mode == mode }
            if !cells.isEmpty { text += Self.table(mode, cells) + "\n" }
        }
        return text
    }

    private static func table(_ mode: BenchMode, _ cells: [HopCell]) -> String {
        if mode == .saturated {
            var columns = TextColumns([
                "saturated", "window", "hop/s", "floor/s", "ratio", "hop/CPU s", "floor/CPU s", "ratio",
            ])
            for cell in cells {
                columns.add([
                    "\(cell.link.name) \(cell.bodyBytes) B", String(cell.window),
                    FigureText.count(cell.hop.perSecond.median), FigureText.count(cell.floor.perSecond.median),
                    FigureText.ratio(cell.perSecondRatio), FigureText.count(cell.hop.perProcessorSecond.median),
                    FigureText.count(cell.floor.perProcessorSecond.median),
                    FigureText.ratio(cell.perProcessorSecondRatio),
                ])
            }
            return columns.text
        }
        var columns = TextColumns([
            mode.rawValue, "", "n", "p50", "p90", "p99", "p99.9", "max", "p50 ratio", "p99 ratio",
        ])
        for cell in cells {
            columns.add(
                ["\(cell.link.name) \(cell.bodyBytes) B", "hop", String(cell.hop.latency.count)]
                    + FigureText.row(cell.hop.latency)
                    + [FigureText.ratio(cell.p50Ratio), FigureText.ratio(cell.p99Ratio)])
            columns.add(
                ["", "floor", String(cell.floor.latency.count)] + FigureText.row(cell.floor.latency) + ["", ""])
        }
        return columns.text
    }

    /// The run as a page.
    public func page() -> Page {
        var blocks: [Page.Block] = [
            .paragraph(
                "One hop through codec, reactor and dispatcher beside a bare libzmq ping-pong in C of the same frame "
                    + "sizes, in \(rounds) rounds in alternation. Times are round trips."),
            .table(floors.table),
        ]
        if !floors.isStable { blocks.append(.paragraph(FloorPair.warning)) }
        for mode in [BenchMode.hot, .idle] {
            for cell in cells where cell.mode == mode { blocks.append(.line(Self.curve(cell))) }
        }
        for mode in [BenchMode.hot, .idle] {
            let cells = cells.filter { $0.mode == mode }
            guard !cells.isEmpty else { continue }
            blocks.append(.bars(Self.ratios(mode, cells)))
        }
        let saturated = cells.filter { $0.mode == .saturated }
        if !saturated.isEmpty {
            blocks.append(
                .bars(
                    BarChart(
                        title: "Exchanges per CPU second, saturated",
                        y: Axis("exchanges per CPU second", format: .count(unit: "")), series: ["hop", "floor"],
                        groups: saturated.map { cell in
                            BarChart.Group(
                                "\(cell.link.name) \(cell.bodyBytes) B",
                                [cell.hop.perProcessorSecond.median, cell.floor.perProcessorSecond.median])
                        })))
        }
        return Page(title: "hopbench hop", subtitle: machine.line, blocks: blocks)
    }

    private static func curve(_ cell: HopCell) -> LineChart {
        LineChart(
            title: "\(cell.link.name), \(cell.bodyBytes) bytes, \(cell.mode.rawValue)",
            note: "p50 \(FigureText.ratio(cell.p50Ratio)) and p99 \(FigureText.ratio(cell.p99Ratio)) times the floor; "
                + "\(cell.hop.latency.count) samples each",
            x: Axis("percentile", scale: .quantile), y: Axis("round trip", scale: .log, format: .seconds),
            series: [
                LineChart.Series("hop", points(cell.hop.curve)), LineChart.Series("floor", points(cell.floor.curve)),
            ])
    }

    private static func ratios(_ mode: BenchMode, _ cells: [HopCell]) -> BarChart {
        BarChart(
            title: "Hop over floor, \(mode.rawValue)", y: Axis("times the floor"), series: ["p50", "p99"],
            groups: cells.map { cell in
                BarChart.Group(
                    "\(cell.link.name) \(cell.bodyBytes) B", [cell.p50Ratio.median, cell.p99Ratio.median])
            }, references: [Reference("floor", 1)])
    }
}

func points(_ curve: [CurvePoint]) -> [LineChart.Point] {
    curve.map { LineChart.Point($0.quantile, $0.nanoseconds / 1e9) }
}

extension FloorPair {
    var table: DataTable {
        DataTable(
            title: "Wake-up floor (eventfd ping-pong between two threads), µs",
            columns: [DataTable.Column("", isText: true)] + Self.headings.map { DataTable.Column($0) },
            rows: [("before", before), ("after", after)].map { name, floor in [name] + Self.row(floor) })
    }
}
