public import Charts
import Formats

extension FloorPair {
    /// Lines for people.
    var text: String {
        var columns = TextTable(["wake-up floor, µs"] + Self.headings)
        for (name, floor) in [("before", before), ("after", after)] {
            columns.add([name] + Self.row(floor))
        }
        return "\(columns)\n" + (isStable ? "" : Self.warning + "\n")
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
        text += "One hop through codec, reactor and dispatcher beside a bare libzmq ping-pong of the same frame sizes"
        text += cells.contains { !$0.peers.isEmpty } ? " and gRPC with the same bodies:\n" : ":\n"
        text +=
            "round trips in µs, \(rounds) rounds in alternation, ratios (hop ÷ it) are medians of rounds (least–most)\n"
        if let pinned { text += pinned.text + "\n" }
        text += "\n"
        for mode in BenchMode.allCases {
            let cells = cells.filter { $0.mode == mode }
            if !cells.isEmpty { text += (mode == .saturated ? Self.rates(cells) : Self.times(mode, cells)) + "\n" }
        }
        for cell in cells {
            for failure in cell.failedPeers { text += "left out of \(cell.name): \(failure)\n" }
        }
        return text
    }

    private static func times(_ mode: BenchMode, _ cells: [HopCell]) -> String {
        var columns = TextTable([
            mode.rawValue, "", "n", "p50", "p90", "p99", "p99.9", "max", "hop ÷ it, p50", "p99",
        ])
        for cell in cells {
            columns.add(
                [cell.title, "hop", String(cell.hop.latency.count)] + FigureText.row(cell.hop.latency) + ["", ""])
            for peer in cell.comparisons {
                let latency = peer.figures.latency
                columns.add(
                    ["", peer.name, String(latency.count)] + FigureText.row(latency)
                        + [FigureText.ratio(peer.p50Ratio), peer.p99Ratio.map(FigureText.ratio) ?? "–"])
            }
        }
        return "\(columns)\n"
    }

    private static func rates(_ cells: [HopCell]) -> String {
        var columns = TextTable(["saturated", "", "window", "per s", "hop ÷ it", "per CPU s", "hop ÷ it"])
        for cell in cells {
            columns.add([
                cell.title, "hop", String(cell.window), FigureText.count(cell.hop.perSecond.median), "",
                FigureText.count(cell.hop.perProcessorSecond.median), "",
            ])
            for peer in cell.comparisons {
                columns.add([
                    "", peer.name, String(cell.window), FigureText.count(peer.figures.perSecond.median),
                    FigureText.ratio(peer.perSecondRatio), FigureText.count(peer.figures.perProcessorSecond.median),
                    FigureText.ratio(peer.perProcessorSecondRatio),
                ])
            }
        }
        return "\(columns)\n"
    }

    /// The run as a page.
    public func page() -> Page {
        var blocks: [Page.Block] = [
            .paragraph(
                "One hop through codec, reactor and dispatcher beside a bare libzmq ping-pong in C of the same frame "
                    + "sizes, and gRPC with the same bodies where it was measured, in \(rounds) rounds in alternation. "
                    + "Times are round trips. \(pinned?.text ?? "")"),
            .table(floors.table),
        ]
        if !floors.isStable { blocks.append(.paragraph(FloorPair.warning)) }
        for cell in cells {
            for failure in cell.failedPeers { blocks.append(.paragraph("Left out of \(cell.name): \(failure)")) }
        }
        for mode in [BenchMode.hot, .idle] {
            for cell in cells where cell.mode == mode { blocks.append(.line(Self.curve(cell))) }
        }
        for mode in [BenchMode.hot, .idle] {
            let cells = cells.filter { $0.mode == mode }
            guard !cells.isEmpty else { continue }
            blocks.append(.bars(Self.ratios(mode, cells)))
            if let chart = Self.peerRatios(mode, cells) { blocks.append(.bars(chart)) }
        }
        let saturated = cells.filter { $0.mode == .saturated }
        if !saturated.isEmpty {
            let peers = Self.peerNames(saturated)
            blocks.append(
                .bars(
                    BarChart(
                        title: "Exchanges per CPU second, saturated",
                        y: Axis("exchanges per CPU second", format: .count(unit: "")),
                        series: ["hop", "floor"] + peers,
                        groups: saturated.map { cell in
                            BarChart.Group(
                                cell.title,
                                [cell.hop.perProcessorSecond.median, cell.floor.perProcessorSecond.median]
                                    + peers.map { cell.peer($0)?.figures.perProcessorSecond.median })
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
            ] + cell.peers.map { LineChart.Series($0.name, points($0.figures.curve)) })
    }

    private static func ratios(_ mode: BenchMode, _ cells: [HopCell]) -> BarChart {
        BarChart(
            title: "Hop over floor, \(mode.rawValue)", y: Axis("times the floor"), series: ["p50", "p99"],
            groups: cells.map { cell in
                BarChart.Group(cell.title, [cell.p50Ratio.median, cell.p99Ratio.median])
            }, references: [Reference("floor", 1)])
    }

    /// Nil where nothing but the floor was measured.
    private static func peerRatios(_ mode: BenchMode, _ cells: [HopCell]) -> BarChart? {
        let names = peerNames(cells)
        guard !names.isEmpty else { return nil }
        return BarChart(
            title: "Hop over gRPC at p50, \(mode.rawValue)", y: Axis("times gRPC"), series: names,
            groups: cells.filter { !$0.peers.isEmpty }.map { cell in
                BarChart.Group(cell.title, names.map { cell.peer($0)?.p50Ratio.median })
            }, references: [Reference("as long as gRPC", 1)])
    }

    private static func peerNames(_ cells: [HopCell]) -> [String] {
        (cells.max { $0.peers.count < $1.peers.count }?.peers ?? []).map(\.name)
    }
}

extension HopCell {
    fileprivate var title: String { "\(link.name) \(bodyBytes) B" }

    /// The floor and what else stands beside it.
    fileprivate var comparisons: [PeerFigures] {
        [
            PeerFigures(
                name: "floor", figures: floor, p50Ratio: p50Ratio, p99Ratio: p99Ratio, perSecondRatio: perSecondRatio,
                perProcessorSecondRatio: perProcessorSecondRatio)
        ] + peers
    }

    fileprivate func peer(_ name: String) -> PeerFigures? { peers.first { $0.name == name } }
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
