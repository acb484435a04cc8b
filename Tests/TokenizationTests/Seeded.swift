import Seeds
import Foundation
import Testing

/// Runs `body` with many seeds, or with the one that `TOKENFACTORY_SEED` names; a failure says how to replay it.
func forEachSeed(
    _ count: UInt64, test: String = #function, _ body: (inout SeededGenerator) throws -> Bool
) rethrows {
    let environment = ProcessInfo.processInfo.environment
    let only = environment["TOKENFACTORY_SEED"].flatMap { UInt64($0) }
    for seed in only.map({ $0...$0 }) ?? 1...count {
        var generator = SeededGenerator(seed: seed)
        let name = test.prefix { $0 != "(" }
        guard try body(&generator) else {
            Issue.record("seed \(seed): TOKENFACTORY_SEED=\(seed) swift test --filter TokenizationTests.*\(name)")
            return
        }
    }
}

extension SeededGenerator {
    mutating func integer(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    /// Characters of one to four bytes, and now and then bytes that are no UTF-8.
    mutating func bytes(count: Int) -> [UInt8] {
        let characters = ["a", "b", " ", "é", "ß", "€", "漢", "字", "😀", "👩‍👩‍👧", "\u{FFFD}", "\u{10FFFF}", "\0"]
        var bytes: [UInt8] = []
        for _ in 0..<count {
            switch integer(0...9) {
            case 0: bytes.append(UInt8.random(in: 0x80...0xFF, using: &self))
            case 1: bytes += Array(characters[integer(0...characters.count - 1)].utf8).dropLast()
            case 2:
                bytes +=
                    [[0xED, 0xA0, 0x80], [0xF4, 0x90], [0xC0, 0xAF], [0xE0, 0x80], [0xF0, 0x90]][integer(0...4)]
            default: bytes += characters[integer(0...characters.count - 1)].utf8
            }
        }
        return bytes
    }

    /// `bytes` cut into pieces of zero to `longest` bytes.
    mutating func cut(_ bytes: [UInt8], longest: Int = 5) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var position = 0
        while position < bytes.count {
            let end = min(bytes.count, position + integer(0...longest))
            pieces.append(Array(bytes[position..<end]))
            position = end
        }
        return pieces
    }
}

extension [UInt8] {
    /// From hexadecimal digits.
    init(hex: String) {
        let digits = Array<Character>(hex)
        self = stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0...$0 + 1]), radix: 16)! }
    }
}
