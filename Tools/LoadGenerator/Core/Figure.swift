import Foundation

/// Numbers as people read them.
enum Figure {
    /// Three digits or more.
    static func short(_ value: Double) -> String {
        String(format: value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f", value)
    }

    static func short(_ value: Double?) -> String { value.map { short($0) } ?? "-" }
}
