/// Median, least and most of what the rounds gave.
public struct Spread: Codable, Sendable {
    public let median: Double
    public let least: Double
    public let most: Double

    /// - Parameter values: one for each round; none gives zeros.
    public init(_ values: [Double]) {
        let sorted = values.sorted()
        least = sorted.first ?? 0
        most = sorted.last ?? 0
        let middle = sorted.count / 2
        if sorted.isEmpty {
            median = 0
        } else {
            median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        }
    }

    /// `median (least to most)` with so many decimals.
    public func text(_ decimals: Int) -> String {
        "\(median.text(decimals)) (\(least.text(decimals)) to \(most.text(decimals)))"
    }
}

extension Double {
    /// In plain decimal notation, rounded.
    public func text(_ decimals: Int) -> String {
        guard isFinite else { return "–" }
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        let scaled = (magnitude * scale).rounded()
        let whole = (scaled / scale).rounded(.down)
        let sign = self < 0 && scaled > 0 ? "-" : ""
        guard decimals > 0 else { return "\(sign)\(Int(whole))" }
        let digits = String(Int(scaled - whole * scale))
        return "\(sign)\(Int(whole)).\(String(repeating: "0", count: max(0, decimals - digits.count)))\(digits)"
    }
}
