import Foundation

/// How values stand at axes, in labels and in data tables.
public enum ValueFormat: Equatable, Sendable {
    /// A plain number with at most three significant digits after the leading ones, and its unit ("" for none).
    case number(unit: String)
    /// Large counts as 12.5 k, 3 M, and their unit.
    case count(unit: String)
    /// Values in seconds, written in ns, µs, ms or s.
    case seconds
    /// Fractions written as percent: 0.25 is 25 %.
    case percent

    /// The value as text.
    public func text(_ value: Double) -> String {
        guard value.isFinite else { return "–" }
        switch self {
        case .number(let unit): return Self.join(Self.digits(value), unit)
        case .percent: return Self.join(Self.digits(value * 100), "%")
        case .count(let unit):
            for (size, prefix) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] where abs(value) >= size * 0.9995 {
                return Self.join(Self.digits(value / size), prefix + unit)
            }
            return Self.join(Self.digits(value), unit)
        case .seconds:
            if value == 0 { return "0 s" }
            for (size, unit) in [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs")] where abs(value) >= size * 0.9995 {
                return Self.join(Self.digits(value / size), unit)
            }
            return Self.join(Self.digits(value * 1e9), "ns")
        }
    }

    private static func join(_ digits: String, _ unit: String) -> String {
        unit.isEmpty ? digits : "\(digits) \(unit)"
    }

    /// Three significant digits, or all that stand before the point.
    private static func digits(_ value: Double) -> String {
        let magnitude = abs(value)
        if magnitude == 0 { return "0" }
        if magnitude < 0.001 { return String(format: "%.2e", value) }
        let before = max(0, Int(log10(magnitude).rounded(.down)) + 1)
        // 999.6 is 1000, with no digit after the point.
        let places = max(0, min(5, magnitude < 1 ? 3 : 3 - before))
        var text = String(format: "%.\(places)f", value)
        if text.contains(".") {
            while text.hasSuffix("0") { text.removeLast() }
            if text.hasSuffix(".") { text.removeLast() }
        }
        return text
    }
}
