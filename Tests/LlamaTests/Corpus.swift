import Foundation

/// The strings of the tokenizer fixture. scripts/llama-fixtures.py makes the same ones.
struct Corpus: Decodable {
    var seed: UInt64
    var count: Int
    var fragments: [String]
    var ranges: [[UInt32]]
    /// A fragment and how often it is repeated.
    var long: [Repetition]

    struct Repetition: Decodable {
        var fragment: String
        var count: Int

        init(from decoder: any Decoder) throws {
            var container = try decoder.unkeyedContainer()
            fragment = try container.decode(String.self)
            count = try container.decode(Int.self)
        }
    }

    var strings: [String] {
        var strings = long.map { String(repeating: $0.fragment, count: $0.count) }
        var letters = SplitMix64(state: seed)
        strings.append(
            String(decoding: (0..<10_000).map { _ in UInt8(ascii: "a") + UInt8(letters.below(26)) }, as: UTF8.self))
        for index in 0..<count {
            var random = SplitMix64(state: seed &+ UInt64(index + 1) &* SplitMix64.golden)
            switch random.below(8) {
            case 0:
                let fragment = fragments[random.below(fragments.count)]
                strings.append(String(repeating: fragment, count: 1 + random.below(60)))
            case 1:
                strings.append((0..<1 + random.below(100)).map { _ in scalar(&random) }.joined())
            default:
                strings.append(
                    (0..<1 + random.below(24)).map { _ in
                        let choice = random.below(fragments.count + 4)
                        return choice < fragments.count ? fragments[choice] : scalar(&random)
                    }.joined())
            }
        }
        return strings
    }

    private func scalar(_ random: inout SplitMix64) -> String {
        let range = ranges[random.below(ranges.count)]
        return String(Unicode.Scalar(range[0] + UInt32(random.below(Int(range[1] - range[0] + 1))))!)
    }
}

struct SplitMix64 {
    static let golden: UInt64 = 0x9E37_79B9_7F4A_7C15
    var state: UInt64

    mutating func below(_ bound: Int) -> Int {
        state &+= Self.golden
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((z ^ (z >> 31)) % UInt64(bound))
    }
}
