import Charts
import Foundation
import Testing

@Suite struct ChartTests {
    @Test func aPageIsWellFormedAndStandsAlone() throws {
        let page = try Parsed(samplePage().html())
        #expect(page.root == "html")
        #expect(page.all("script").isEmpty)
        #expect(page.all("link").isEmpty)
        #expect(page.all("img").isEmpty)
        for element in page.elements {
            for name in ["src", "href", "xlink:href"] { #expect(element.attributes[name] == nil) }
        }
        #expect(!samplePage().html().contains("url("))
    }

    @Test func everyDrawingSaysWhatItIs() throws {
        let page = try Parsed(samplePage().html())
        let drawings = page.all("svg")
        #expect(drawings.count == 3)
        let ids = Set(page.elements.compactMap { $0.attributes["id"] })
        for drawing in drawings {
            #expect(drawing.attributes["role"] == "img")
            let labels = drawing.attributes["aria-labelledby", default: ""].split(separator: " ").map(String.init)
            #expect(labels.count == 2)
            #expect(ids.isSuperset(of: labels))
        }
        #expect(page.texts("title").contains("Latency by percentile"))
    }

    @Test func textIsText() throws {
        let hostile = "<script>\"a\" & 'b'</script>\u{0}\u{b}\u{fffe}"
        let page = Page(
            title: hostile, subtitle: hostile,
            blocks: [
                .heading(hostile), .paragraph(hostile),
                .table(DataTable(title: hostile, columns: [.init(hostile)], rows: [[hostile]])),
                .line(
                    LineChart(
                        title: hostile, note: hostile, x: Axis(hostile), y: Axis(hostile),
                        series: [.init(hostile, [.init(1, 1)])])),
                .bars(BarChart(title: hostile, y: Axis(hostile), series: [hostile], groups: [.init(hostile, [1])])),
                .waterfall(
                    Waterfall(
                        title: hostile, kinds: [hostile], segments: [.init(hostile, start: 0, duration: 1)])),
            ])
        let parsed = try Parsed(page.html())
        #expect(parsed.all("script").isEmpty)
        #expect(parsed.texts("h1") == ["<script>\"a\" & 'b'</script>"])
        #expect(parsed.texts("td").contains("<script>\"a\" & 'b'</script>"))
    }

    @Test func aLineGoesThroughItsPoints() throws {
        let chart = LineChart(
            title: "t", x: Axis("x"), y: Axis("y"), series: [.init("a", [.init(0, 0), .init(5, 5), .init(10, 10)])])
        let line = try #require(try Parsed(Page(title: "p", blocks: [.line(chart)]).html()).all("polyline").first)
        let points = try points(line)
        #expect(points.count == 3)
        // Halfway in value is halfway in pixels, and up is less.
        #expect(abs(points[1].x - (points[0].x + points[2].x) / 2) < 0.02)
        #expect(abs(points[1].y - (points[0].y + points[2].y) / 2) < 0.02)
        #expect(points[2].y < points[0].y)
    }

    @Test func decadesAreEquallyLong() throws {
        let chart = LineChart(
            title: "t", x: Axis("x", scale: .log), y: Axis("y", scale: .log),
            series: [.init("a", [.init(1, 1), .init(10, 100), .init(100, 10_000), .init(0, 1), .init(1, -1)])])
        let line = try #require(try Parsed(Page(title: "p", blocks: [.line(chart)]).html()).all("polyline").first)
        let points = try points(line)
        // Values without a logarithm are left out.
        #expect(points.count == 3)
        #expect(abs(points[1].x - (points[0].x + points[2].x) / 2) < 0.02)
        #expect(abs(points[1].y - (points[0].y + points[2].y) / 2) < 0.02)
    }

    @Test func quantilesAreSpreadByTheirDistanceToOne() throws {
        let chart = LineChart(
            title: "t", x: Axis("x", scale: .quantile), y: Axis("y"),
            series: [.init("a", [.init(0, 1), .init(0.9, 1), .init(0.99, 1), .init(0.999, 1), .init(1, 1)])])
        let page = try Parsed(Page(title: "p", blocks: [.line(chart)]).html())
        let points = try points(try #require(page.all("polyline").first))
        #expect(points.count == 4)
        for index in 1..<3 {
            let before = points[index].x - points[index - 1].x
            #expect(abs(points[index + 1].x - points[index].x - before) < 0.02)
        }
        for name in ["p50", "p90", "p99", "p99.9"] { #expect(page.texts("text").contains(name)) }
    }

    @Test func barsAreAsLongAsTheirValues() throws {
        let chart = BarChart(
            title: "t", y: Axis("tokens"), series: ["a", "b"], groups: [.init("g", [10, 20]), .init("h", [nil, 40])])
        let page = try Parsed(Page(title: "p", blocks: [.bars(chart)]).html())
        let heights = try page.all("rect").map { try #require(Double($0.attributes["height", default: ""])) }
        #expect(heights.count == 3)
        #expect(abs(heights[1] - 2 * heights[0]) < 0.03)
        #expect(abs(heights[2] - 4 * heights[0]) < 0.03)
        #expect(page.texts("td").contains("–"))
    }

    @Test func stretchesFollowOneAnother() throws {
        let segments = Waterfall.consecutive([("a", 1e-3, 0), ("b", 3e-3, 1)])
        #expect(segments.map(\.start) == [0, 1e-3])
        let chart = Waterfall(title: "t", kinds: ["wire", "worked"], segments: segments)
        let page = try Parsed(Page(title: "p", blocks: [.waterfall(chart)]).html())
        let rects = page.all("rect")
        let first = try #require(rects.first)
        let last = try #require(rects.last)
        let end = try number(first, "x") + number(first, "width")
        #expect(abs(end - (try number(last, "x"))) < 0.03)
        #expect(abs(try number(last, "width") - 3 * number(first, "width")) < 0.05)
        #expect(page.texts("text").contains("3 ms"))
        #expect(page.texts("td").contains("worked"))
    }

    @Test func chartsOfNothingAreStillPages() throws {
        let page = Page(
            title: "empty",
            blocks: [
                .line(LineChart(title: "a", x: Axis("x", scale: .log), y: Axis("y", scale: .log), series: [])),
                .line(LineChart(title: "b", x: Axis("x", scale: .quantile), y: Axis("y"), series: [.init("s", [])])),
                .bars(BarChart(title: "c", y: Axis("y"), series: [], groups: [])),
                .waterfall(Waterfall(title: "d", kinds: [], segments: [])),
                .line(
                    LineChart(
                        title: "e", x: Axis("x"), y: Axis("y"),
                        series: [.init("s", [.init(.nan, 1), .init(1, .infinity), .init(2, 3)])])),
            ])
        let parsed = try Parsed(page.html())
        #expect(parsed.all("svg").count == 5)
        #expect(!page.html().contains("nan"))
        #expect(!page.html().contains("inf"))
    }

    @Test func targetsAreDrawnAndNamed() throws {
        let chart = LineChart(
            title: "t", x: Axis("x"), y: Axis("y"), series: [.init("a", [.init(1, 1)])],
            references: [Reference("target", 10)])
        let page = try Parsed(Page(title: "p", blocks: [.line(chart)]).html())
        let rule = try #require(page.all("line").first { $0.attributes["class"] == "rule" })
        let point = try #require(page.all("circle").first)
        #expect(try number(rule, "y1") < number(point, "cy"))
        #expect(page.texts("text").contains("target"))
    }

    @Test(arguments: [
        (ValueFormat.seconds, 0.0, "0 s"), (.seconds, 12e-9, "12 ns"), (.seconds, 84.56e-6, "84.6 µs"),
        (.seconds, 0.9999, "1 s"), (.seconds, 1.5e-3, "1.5 ms"), (.count(unit: "/s"), 1_250_000, "1.25 M/s"),
        (.count(unit: ""), 999.9, "1 k"), (.number(unit: "GB"), 1234.6, "1235 GB"), (.percent, 0.025, "2.5 %"),
        (.number(unit: ""), -0.5, "-0.5"), (.seconds, .nan, "–"),
    ])
    func valuesAreWritten(format: ValueFormat, value: Double, text: String) {
        #expect(format.text(value) == text)
    }

    private func samplePage() -> Page {
        Page(
            title: "Report", subtitle: "a machine",
            blocks: [
                .heading("Latency"), .paragraph("What follows."),
                .line(
                    LineChart(
                        title: "Latency by percentile", x: Axis("percentile", scale: .quantile),
                        y: Axis("latency", scale: .log, format: .seconds),
                        series: [
                            .init("floor", [.init(0, 1e-5), .init(0.5, 2e-5), .init(0.99, 9e-5)]),
                            .init("hop", [.init(0, 1e-5), .init(0.5, 3e-5), .init(0.99, 2e-4)]),
                        ])),
                .bars(
                    BarChart(
                        title: "Throughput", y: Axis("tokens/s", format: .count(unit: "")), series: ["zmq", "http"],
                        groups: [.init("64", [1e6, 1.5e5]), .init("256", [1.1e6, 1.6e5])],
                        references: [Reference("target", 1e6)])),
                .waterfall(
                    Waterfall(
                        title: "The median request", kinds: ["wire", "worked"],
                        segments: Waterfall.consecutive([("ingest wire", 1e-5, 0), ("ingest worked", 2e-5, 1)]))),
                .table(
                    DataTable(title: "Figures", columns: [.init("what", isText: true), .init("p50")], rows: [["a"]])),
            ])
    }

    private func points(_ line: Parsed.Element) throws -> [(x: Double, y: Double)] {
        try line.attributes["points", default: ""].split(separator: " ").map { pair in
            let parts = pair.split(separator: ",")
            return (try #require(Double(parts[0])), try #require(Double(parts[1])))
        }
    }

    private func number(_ element: Parsed.Element, _ name: String) throws -> Double {
        try #require(Double(element.attributes[name, default: ""]))
    }
}
