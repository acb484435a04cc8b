import Foundation

/// The intended send times of an open loop: a Poisson process.
struct ArrivalSchedule {
    private var generator: SeededGenerator
    private let rate: Double
    /// Seconds since the beginning.
    private var time = 0.0

    init(rate: Double, seed: UInt64) {
        self.rate = rate
        generator = SeededGenerator(seed: seed)
    }

    /// Nanoseconds from the beginning to the next request.
    mutating func next() -> UInt64 {
        // The inverse of the exponential distribution, of a number in (0, 1].
        let uniform = 1 - Double.random(in: 0..<1, using: &generator)
        time -= log(uniform) / rate
        return UInt64(time * 1e9)
    }
}
