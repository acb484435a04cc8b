/// Bars in groups, from zero.
public struct BarChart: Equatable, Sendable {
    /// Bars that stand together, one for each series; nil where there is none.
    public struct Group: Equatable, Sendable {
        public var label: String
        public var values: [Double?]

        public init(_ label: String, _ values: [Double?]) {
            self.label = label
            self.values = values
        }
    }

    public var title: String
    /// What the reader should know; stands below the title.
    public var note: String
    /// Always linear: the length of a bar is its value.
    public var y: Axis
    /// Names of the bars of each group.
    public var series: [String]
    public var groups: [Group]
    /// Horizontal lines.
    public var references: [Reference]

    public init(
        title: String, note: String = "", y: Axis, series: [String], groups: [Group], references: [Reference] = []
    ) {
        self.title = title
        self.note = note
        self.y = y
        self.y.scale = .linear
        self.series = series
        self.groups = groups
        self.references = references
    }

    func write(to markup: inout Markup, id: String) {
        let height = 340.0
        let left = 76.0
        let right = Figure.width - 24
        let top = 34.0
        let bottom = height - 36
        let values = groups.flatMap { $0.values.compactMap { $0 } }
        let up = PlacedAxis(y, values: values + references.map(\.value) + [0], from: bottom, to: top)
        let figure = Figure(id: id, title: title, note: note, height: height, legend: series, data: data(up))
        figure.write(to: &markup) { markup in
            markup.vertical(up, from: left, to: right, top: top)
            let room = (right - left) / Double(max(1, groups.count))
            let width = min(44, room * 0.8 / Double(max(1, series.count)))
            for (number, group) in groups.enumerated() {
                let middle = left + room * (Double(number) + 0.5)
                markup.label(group.label, middle, bottom + 19)
                var edge = middle - width * Double(series.count) / 2
                for (index, name) in series.enumerated() {
                    defer { edge += width }
                    guard index < group.values.count, let value = group.values[index], y.shows(value) else { continue }
                    let place = up.place(value)
                    let zero = up.place(0)
                    markup.open(
                        "rect",
                        [
                            "x": Markup.pixel(edge + 1), "y": Markup.pixel(min(place, zero)),
                            "width": Markup.pixel(max(1, width - 2)), "height": Markup.pixel(abs(zero - place)),
                            "class": "fill \(Style.series(index))",
                        ])
                    markup.element("title", "\(group.label), \(name): \(up.text(value))")
                    markup.close("rect")
                    if width >= 36 { markup.label(up.text(value), edge + width / 2, min(place, zero) - 4) }
                }
            }
            markup.line(left, up.place(0), right, up.place(0), class: "axis")
            markup.references(references, on: up, from: left, to: right)
        }
    }

    private func data(_ up: PlacedAxis) -> DataTable {
        DataTable(
            title: title,
            columns: [DataTable.Column("", isText: true)] + series.map { DataTable.Column($0) },
            rows: groups.map { group in [group.label] + group.values.map { $0.map(up.text) ?? "–" } })
    }
}
