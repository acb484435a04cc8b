/// Names and values that tell the series of one metric apart. Their order does not matter.
public struct MetricLabels: Hashable, Sendable, ExpressibleByDictionaryLiteral {
    /// Sorted by name.
    let pairs: [Pair]

    struct Pair: Hashable, Sendable {
        var name: String
        var value: String
    }

    public init(dictionaryLiteral elements: (String, String)...) {
        self.init(elements)
    }

    public init(_ elements: [(String, String)]) {
        pairs = elements.map { Pair(name: $0.0, value: $0.1) }.sorted { $0.name < $1.name }
    }

    public static let none: MetricLabels = [:]

    /// The same names, each with the value `other`.
    var overflow: MetricLabels {
        MetricLabels(pairs.map { ($0.name, "other") })
    }
}
