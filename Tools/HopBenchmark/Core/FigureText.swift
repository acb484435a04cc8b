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
