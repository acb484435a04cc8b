/// Lines over a numeric axis: latency by percentile, load against latency.
public struct LineChart: Equatable, Sendable {
    /// A point; one that an axis cannot show is left out.
    public struct Point: Equatable, Sendable {
        public var x: Double
        public var y: Double

        public init(_ x: Double, _ y: Double) {
            self.x = x
            self.y = y
        }
    }

    /// A named line, drawn from point to point in the order given.
    public struct Series: Equatable, Sendable {
        public var name: String
        public var points: [Point]

        public init(_ name: String, _ points: [Point]) {
            self.name = name
            self.points = points
        }
    }

    public var title: String
    /// What the reader should know; stands below the title.
    public var note: String
    public var x: Axis
    public var y: Axis
    public var series: [Series]
    /// Horizontal lines.
    public var references: [Reference]

    public init(
        title: String, note: String = "", x: Axis, y: Axis, series: [Series], references: [Reference] = []
    ) {
        self.title = title
        self.note = note
        self.x = x
        self.y = y
        self.series = series
        self.references = references
    }

    func write(to markup: inout Markup, id: String) {
        let height = 380.0
        let left = 76.0
        let right = Figure.width - 24
        let top = 34.0
        let bottom = height - 52
        let shown = series.map { line in line.points.filter { x.shows($0.x) && y.shows($0.y) } }
        let across = PlacedAxis(x, values: shown.flatMap { $0.map(\.x) }, from: left, to: right)
        let up = PlacedAxis(
            y, values: shown.flatMap { $0.map(\.y) } + references.map(\.value), from: bottom, to: top)
        let figure = Figure(
            id: id, title: title, note: note, height: height, legend: series.map(\.name), data: data(shown, across, up))
        figure.write(to: &markup) { markup in
            markup.vertical(up, from: left, to: right, top: top)
            for tick in across.ticks {
                let place = across.place(tick)
                markup.line(place, bottom, place, bottom + 5, class: "axis")
                markup.label(across.text(tick), place, bottom + 19)
            }
            markup.line(left, bottom, right, bottom, class: "axis")
            markup.label(x.label, (left + right) / 2, height - 12)
            markup.references(references, on: up, from: left, to: right)
            for (index, points) in shown.enumerated() where !points.isEmpty {
                draw(series[index].name, points, index, across, up, &markup)
            }
        }
    }

    private func draw(
        _ name: String, _ points: [Point], _ index: Int, _ across: PlacedAxis, _ up: PlacedAxis,
        _ markup: inout Markup
    ) {
        let path = points.map { "\(Markup.pixel(across.place($0.x))),\(Markup.pixel(up.place($0.y)))" }
        markup.void(
            "polyline",
            [
                "points": path.joined(separator: " "), "class": "line \(Style.series(index))",
                "stroke-dasharray": Style.dashes(index),
            ])
        // Markers of a thousand points would hide the line; the table has them all.
        guard points.count <= 64 else { return }
        for point in points {
            markup.open(
                "circle",
                [
                    "cx": Markup.pixel(across.place(point.x)), "cy": Markup.pixel(up.place(point.y)), "r": "3.5",
                    "class": "fill \(Style.series(index))",
                ])
            markup.element("title", "\(name): \(across.text(point.x)), \(up.text(point.y))")
            markup.close("circle")
        }
    }

    private func data(_ shown: [[Point]], _ across: PlacedAxis, _ up: PlacedAxis) -> DataTable {
        var rows: [[String]] = []
        for (line, points) in zip(series, shown) {
            rows += points.map { [line.name, across.text($0.x), up.text($0.y)] }
        }
        return DataTable(
            title: title,
            columns: [DataTable.Column("series", isText: true), DataTable.Column(x.label), DataTable.Column(y.label)],
            rows: rows)
    }
}
