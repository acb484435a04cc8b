/// Rows of texts in columns as wide as they need to be; the first column stands left, the others right.
struct TextColumns {
    private var rows: [[String]]

    init(_ heading: [String]) { rows = [heading] }

    /// - Parameter row: As many cells as the heading has.
    mutating func add(_ row: [String]) {
        precondition(row.count == rows[0].count, "a row of \(row.count) cells under \(rows[0].count) headings")
        rows.append(row)
    }

    var text: String {
        let widths = (rows.first ?? []).indices.map { column in
            rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        return rows.map { row in
            zip(row, widths).enumerated().map { index, cell in
                let space = String(repeating: " ", count: cell.1 - cell.0.count)
                return index == 0 ? cell.0 + space : space + cell.0
            }.joined(separator: "  ")
        }.joined(separator: "\n") + "\n"
    }
}

/// How figures stand in tables.
enum FigureText {
    /// Nanoseconds in microseconds.
    static func micros(_ nanoseconds: Double) -> String {
        let micros = nanoseconds / 1000
        let digits = abs(micros) < 100 ? 10.0 : 1.0
        let rounded = (micros * digits).rounded() / digits
        return digits == 1 ? String(Int(rounded)) : String(rounded)
    }

    /// Two digits after the point.
    static func ratio(_ value: Double) -> String {
        guard value.isFinite else { return "–" }
        let hundredths = Int((value * 100).rounded())
        let rest = abs(hundredths % 100)
        return "\(hundredths < 0 ? "-" : "")\(abs(hundredths) / 100).\(rest < 10 ? "0" : "")\(rest)"
    }

    /// The median, and the least and most that it came from.
    static func ratio(_ spread: Spread) -> String {
        "\(ratio(spread.median)) (\(ratio(spread.least))–\(ratio(spread.most)))"
    }

    static func count(_ value: Double) -> String { value.isFinite ? String(Int(value.rounded())) : "–" }

    /// p50, p90, p99, p99.9, max in microseconds; a percentile beyond which there is not one sample is a dash.
    static func row(_ latency: LatencySummary) -> [String] {
        let percentiles = [(latency.p50, 2), (latency.p90, 10), (latency.p99, 100), (latency.p999, 1000)]
        return percentiles.map { latency.count < $1 ? "–" : micros($0) } + [micros(latency.max)]
    }
}
