import Foundation

/// How many tokens a prompt or an answer has.
public enum LengthDistribution: Equatable, Sendable {
    case fixed(Int)
    /// Each from the lower to the upper, both included, as likely as any other.
    case uniform(ClosedRange<Int>)
    case normal(mean: Double, deviation: Double)
    /// Mean and standard deviation of the lengths, not of their logarithms.
    case logNormal(mean: Double, deviation: Double)
    /// Lengths and how often each occurs, in any unit.
    case mix([Weighted])

    public struct Weighted: Equatable, Sendable {
        public var length: Int
        public var weight: Double

        public init(length: Int, weight: Double) {
            self.length = length
            self.weight = weight
        }
    }

    /// Reads `512`, `uniform:100,900`, `normal:512,64`, `lognormal:512,256` or `mix:128@0.7,2048@0.3`.
    public init(_ text: String) throws(LoadError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else {
            guard let length = Int(text), length > 0 else {
                throw .badOption(text: text, reason: "is no length; see --help")
            }
            self = .fixed(length)
            return
        }
        if parts[0] == "mix" {
            self = .mix(try Self.weighted(parts[1], text))
            return
        }
        let numbers = parts[1].split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
        guard numbers.count == 2, let first = numbers[0], let second = numbers[1], first.isFinite, second.isFinite,
            first >= 1, second >= 0, first < 1e9, second < 1e9
        else { throw .badOption(text: text, reason: "needs two numbers, the first of them 1 or more") }
        switch parts[0] {
        case "uniform":
            guard first <= second else { throw .badOption(text: text, reason: "the lower bound is above the upper") }
            self = .uniform(Int(first)...Int(second))
        case "normal": self = .normal(mean: first, deviation: second)
        case "lognormal": self = .logNormal(mean: first, deviation: second)
        default:
            throw .badOption(text: text, reason: "'\(parts[0])' is none of uniform, normal, lognormal, mix")
        }
    }

    private static func weighted(_ list: String, _ text: String) throws(LoadError) -> [Weighted] {
        var found: [Weighted] = []
        for entry in list.split(separator: ",", omittingEmptySubsequences: false) {
            let pair = entry.split(separator: "@", omittingEmptySubsequences: false)
            guard pair.count == 2, let length = Int(pair[0]), length > 0, let weight = Double(pair[1]), weight > 0,
                weight.isFinite
            else { throw .badOption(text: text, reason: "'\(entry)' is not LENGTH@WEIGHT") }
            found.append(Weighted(length: length, weight: weight))
        }
        return found
    }

    /// A length, 1 or more.
    func sample(using generator: inout SeededGenerator) -> Int {
        switch self {
        case .fixed(let length): return length
        case .uniform(let range): return Int.random(in: range, using: &generator)
        case .normal(let mean, let deviation):
            return Self.length(mean + deviation * RandomVariate.normal(using: &generator))
        case .logNormal(let mean, let deviation):
            // The logarithm's variance and mean that give these; for instance Johnson, Kotz, Balakrishnan, ch. 14.
            let variance = log(1 + (deviation / mean) * (deviation / mean))
            let location = log(mean) - variance / 2
            return Self.length(exp(location + variance.squareRoot() * RandomVariate.normal(using: &generator)))
        case .mix(let entries):
            var rest = Double.random(in: 0..<1, using: &generator) * entries.reduce(0) { $0 + $1.weight }
            for entry in entries {
                if rest < entry.weight { return entry.length }
                rest -= entry.weight
            }
            return entries.last?.length ?? 1
        }
    }

    private static func length(_ value: Double) -> Int { Int(min(max(1, value.rounded()), 1e9)) }
}
