import Foundation

/// What an axis says and how it is divided.
public struct Axis: Equatable, Sendable {
    /// How values are spread along it.
    public enum Scale: Equatable, Sendable {
        case linear
        /// Each decade as long as the next; values that are not above 0 are left out.
        case log
        /// For quantiles from 0 up to, not including, 1: the distance to 1 in decades, as HDR plots have it.
        case quantile
    }

    public var label: String
    public var scale: Scale
    public var format: ValueFormat
    /// The least extent; data outside widen it. Nil leaves it to the data (a linear axis then begins at 0).
    public var range: ClosedRange<Double>?

    public init(
        _ label: String, scale: Scale = .linear, format: ValueFormat = .number(unit: ""),
        range: ClosedRange<Double>? = nil
    ) {
        self.label = label
        self.scale = scale
        self.format = format
        self.range = range
    }

    /// Whether a value has a place on it.
    func shows(_ value: Double) -> Bool {
        guard value.isFinite else { return false }
        return switch scale {
        case .linear: true
        case .log: value > 0
        case .quantile: value >= 0 && value < 1
        }
    }
}

/// An axis laid along so many pixels.
struct PlacedAxis {
    let axis: Axis
    let ticks: [Double]
    private let low: Double
    private let high: Double
    private let start: Double
    private let end: Double

    /// - Parameter start: the pixel of the least value; above `end` for an axis that grows upwards.
    init(_ axis: Axis, values: [Double], from start: Double, to end: Double) {
        self.axis = axis
        self.start = start
        self.end = end
        var shown = values.filter(axis.shows)
        if let range = axis.range {
            shown += [range.lowerBound, range.upperBound].filter(axis.shows)
        } else if axis.scale == .linear {
            shown.append(0)
        }
        let least = shown.min() ?? (axis.scale == .log ? 1 : 0)
        let most = shown.max() ?? (axis.scale == .quantile ? 0 : 1)
        switch axis.scale {
        case .linear:
            let step = Self.step(most > least ? most - least : max(abs(most), 1))
            low = (least / step).rounded(.down) * step
            high = max((most / step).rounded(.up) * step, low + step)
            let count = Int(((high - low) / step).rounded())
            ticks = (0...count).map { [low] in low + Double($0) * step }
        case .log:
            let all = Self.decades(from: least, to: max(most, least * 1.0001))
            ticks = all
            low = log10(min(least, all.first ?? least))
            high = log10(max(most, all.last ?? most))
        case .quantile:
            let decades = max(1, (-log10(1 - most)).rounded(.up))
            low = 0
            high = decades
            ticks = [0, 0.5] + (1...Int(decades)).map { 1 - pow(10, -Double($0)) }
        }
    }

    /// The pixel of a value that the axis shows.
    func place(_ value: Double) -> Double {
        let position =
            switch axis.scale {
            case .linear: value
            case .log: log10(value)
            case .quantile: -log10(1 - value)
            }
        guard high > low else { return start }
        return start + (position - low) / (high - low) * (end - start)
    }

    func text(_ value: Double) -> String {
        guard axis.scale == .quantile else { return axis.format.text(value) }
        return PercentileName.text(value)
    }

    /// 1, 2 or 5 times a power of ten, so that there are four to nine steps.
    private static func step(_ extent: Double) -> Double {
        let decade = pow(10, log10(extent / 5).rounded(.down))
        let ratio = extent / 5 / decade
        return (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10) * decade
    }

    /// Powers of ten around the values; 1, 2 and 5 times them where there are few.
    private static func decades(from least: Double, to most: Double) -> [Double] {
        let first = Int(log10(least).rounded(.down))
        let last = Int(log10(most).rounded(.up))
        let factors: [Double] = last - first > 3 ? [1] : [1, 2, 5]
        var all: [Double] = []
        for decade in first...max(last, first + 1) { all += factors.map { $0 * pow(10, Double(decade)) } }
        let from = all.lastIndex { $0 <= least * 1.000_001 } ?? 0
        let to = all.firstIndex { $0 >= most * 0.999_999 } ?? all.count - 1
        return Array(all[from...max(to, from)])
    }
}

/// Quantiles as people write them: p50, p99.9, and p100 as max.
enum PercentileName {
    static func text(_ quantile: Double) -> String {
        if quantile >= 1 { return "max" }
        var text = String(format: "%.6f", quantile * 100)
        while text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return "p\(text)"
    }
}
