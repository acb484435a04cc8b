import Foundation

/// Random numbers of distributions that the standard library lacks.
enum RandomVariate {
    /// Standard normal (Box and Muller 1958; one of the two that it makes).
    static func normal(using generator: inout SeededGenerator) -> Double {
        let radius = (-2 * log(1 - Double.random(in: 0..<1, using: &generator))).squareRoot()
        return radius * cos(2 * .pi * Double.random(in: 0..<1, using: &generator))
    }

    /// Exponential with mean 1.
    static func exponential(using generator: inout SeededGenerator) -> Double {
        // The inverse of the distribution, of a number in (0, 1].
        -log(1 - Double.random(in: 0..<1, using: &generator))
    }

    /// Gamma with this shape and scale 1 (Marsaglia and Tsang 2000). Its mean is `shape`.
    static func gamma(shape: Double, using generator: inout SeededGenerator) -> Double {
        if shape < 1 {
            let lifted = gamma(shape: shape + 1, using: &generator)
            return lifted * pow(1 - Double.random(in: 0..<1, using: &generator), 1 / shape)
        }
        let d = shape - 1.0 / 3
        let c = 1 / (9 * d).squareRoot()
        while true {
            let x = normal(using: &generator)
            let v = pow(1 + c * x, 3)
            guard v > 0 else { continue }
            let u = 1 - Double.random(in: 0..<1, using: &generator)
            if log(u) < x * x / 2 + d - d * v + d * log(v) { return d * v }
        }
    }
}
