import Batching

/// Random numbers that a seed repeats.
struct SeededGenerator: RandomNumberGenerator {
    private let seed: UInt64
    private var counter: UInt64 = 0

    init(seed: UInt64) { self.seed = seed }

    mutating func next() -> UInt64 {
        counter += 1
        return CounterRandom.bits(seed: seed, counter: counter)
    }

    mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }

    mutating func chance(_ share: Double) -> Bool { Double.random(in: 0..<1, using: &self) < share }

    mutating func float(_ range: ClosedRange<Float>) -> Float { Float.random(in: range, using: &self) }
}
