/// A value worth a line across the chart: a target, an ideal, a floor.
public struct Reference: Equatable, Sendable {
    public var label: String
    public var value: Double

    public init(_ label: String, _ value: Double) {
        self.label = label
        self.value = value
    }
}

/// What all charts have around their drawing.
struct Figure {
    static let width = 760.0

    let id: String
    let title: String
    let note: String
    let height: Double
    let legend: [String]
    let data: DataTable

    /// Writes caption, legend, drawing and, folded away, the data.
    func write(to markup: inout Markup, _ draw: (inout Markup) -> Void) {
        markup.open("figure", ["id": id])
        markup.open("figcaption")
        markup.element("span", title)
        if !note.isEmpty { markup.element("p", note) }
        markup.close("figcaption")
        if legend.count > 1 {
            markup.open("ul", ["class": "legend"])
            for (index, name) in legend.enumerated() {
                markup.open("li")
                markup.element("i", ["class": Style.series(index)], "")
                markup.element("span", name)
                markup.close("li")
            }
            markup.close("ul")
        }
        markup.open(
            "svg",
            [
                "xmlns": "http://www.w3.org/2000/svg", "role": "img",
                "viewBox": "0 0 \(Markup.pixel(Self.width)) \(Markup.pixel(height))",
                "aria-labelledby": "\(id)-title \(id)-description",
            ])
        markup.element("title", ["id": "\(id)-title"], title)
        markup.element("desc", ["id": "\(id)-description"], note.isEmpty ? "The data follow in a table." : note)
        draw(&markup)
        markup.close("svg")
        markup.open("details")
        markup.element("summary", "Data")
        data.write(to: &markup)
        markup.close("details")
        markup.close("figure")
    }
}

extension Markup {
    mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, class name: String) {
        void(
            "line",
            [
                "x1": Self.pixel(x1), "y1": Self.pixel(y1), "x2": Self.pixel(x2), "y2": Self.pixel(y2), "class": name,
            ])
    }

    mutating func label(
        _ text: String, _ x: Double, _ y: Double, anchor: String = "middle", class name: String = "soft"
    ) {
        element(
            "text", ["x": Self.pixel(x), "y": Self.pixel(y), "text-anchor": anchor, "class": name], text)
    }

    /// Grid lines and labels of an axis that grows upwards, and its name above it.
    mutating func vertical(_ axis: PlacedAxis, from left: Double, to right: Double, top: Double) {
        for tick in axis.ticks {
            let y = axis.place(tick)
            line(left, y, right, y, class: "grid")
            label(axis.text(tick), left - 8, y + 4, anchor: "end")
        }
        label(axis.axis.label, 4, top - 12, anchor: "start")
    }

    mutating func references(
        _ references: [Reference], on axis: PlacedAxis, from left: Double, to right: Double
    ) {
        for reference in references where axis.axis.shows(reference.value) {
            let y = axis.place(reference.value)
            line(left, y, right, y, class: "rule")
            label(reference.label, right - 4, y - 5, anchor: "end")
        }
    }
}
