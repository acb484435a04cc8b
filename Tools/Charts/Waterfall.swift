/// Where the time of one thing went: a bar for each stretch, one below the other, along one axis of time.
public struct Waterfall: Equatable, Sendable {
    /// A stretch of time. Times are in seconds.
    public struct Segment: Equatable, Sendable {
        public var label: String
        public var start: Double
        public var duration: Double
        /// Which of `Waterfall.kinds` it is; gives the colour.
        public var kind: Int

        public init(_ label: String, start: Double, duration: Double, kind: Int = 0) {
            self.label = label
            self.start = start
            self.duration = duration
            self.kind = kind
        }
    }

    public var title: String
    /// What the reader should know; stands below the title.
    public var note: String
    /// What the colours mean.
    public var kinds: [String]
    public var segments: [Segment]

    public init(title: String, note: String = "", kinds: [String], segments: [Segment]) {
        self.title = title
        self.note = note
        self.kinds = kinds
        self.segments = segments
    }

    /// Stretches after one another from 0, as the durations of a request's hops come.
    public static func consecutive(_ parts: [(label: String, duration: Double, kind: Int)]) -> [Segment] {
        var start = 0.0
        return parts.map { part in
            defer { start += part.duration }
            return Segment(part.label, start: start, duration: part.duration, kind: part.kind)
        }
    }

    func write(to markup: inout Markup, id: String) {
        let row = 22.0
        let top = 12.0
        let left = 210.0
        let right = Figure.width - 84
        let bottom = top + row * Double(segments.count)
        let axis = Axis("time", format: .seconds)
        let across = PlacedAxis(
            axis, values: segments.flatMap { [$0.start, $0.start + $0.duration] }, from: left, to: right)
        let figure = Figure(
            id: id, title: title, note: note, height: bottom + 44, legend: kinds, data: data(axis))
        figure.write(to: &markup) { markup in
            for tick in across.ticks {
                markup.line(across.place(tick), top, across.place(tick), bottom + 4, class: "grid")
                markup.label(across.text(tick), across.place(tick), bottom + 19)
            }
            markup.label(axis.label, (left + right) / 2, bottom + 38)
            for (number, segment) in segments.enumerated() where segment.start.isFinite && segment.duration.isFinite {
                let y = top + row * Double(number)
                let from = across.place(min(segment.start, segment.start + segment.duration))
                let to = across.place(max(segment.start, segment.start + segment.duration))
                markup.label(segment.label, left - 10, y + 15, anchor: "end", class: "name")
                markup.open(
                    "rect",
                    [
                        "x": Markup.pixel(from), "y": Markup.pixel(y + 4), "width": Markup.pixel(max(1, to - from)),
                        "height": Markup.pixel(row - 8), "class": "fill \(Style.series(segment.kind))",
                    ])
                markup.element("title", "\(segment.label): \(axis.format.text(segment.duration))")
                markup.close("rect")
                markup.label(axis.format.text(segment.duration), to + 6, y + 15, anchor: "start")
            }
        }
    }

    private func data(_ axis: Axis) -> DataTable {
        DataTable(
            title: title,
            columns: [
                DataTable.Column("stretch", isText: true), DataTable.Column("kind", isText: true),
                DataTable.Column("from"), DataTable.Column("lasts"),
            ],
            rows: segments.map { segment in
                [
                    segment.label, kinds.indices.contains(segment.kind) ? kinds[segment.kind] : "",
                    axis.format.text(segment.start), axis.format.text(segment.duration),
                ]
            })
    }
}
