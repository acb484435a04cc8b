/// Top-k and top-p without sorting the vocabulary: a histogram of the weights' leading bits finds the bucket in which
/// the cut lies, and only what lies in it or above is sorted.
struct TokenSelection: Sendable {
    private struct Candidate {
        var id: UInt32
        var weight: Float
    }

    /// The sign is 0, so sign, exponent and four bits of the fraction order weights up to 1.
    private static let shift: UInt32 = 19
    private static let buckets = Int(Float(1).bitPattern >> shift) + 2

    private var counts = [Int](repeating: 0, count: buckets)
    private var masses = [Double](repeating: 0, count: buckets)
    private var candidates: [Candidate] = []

    /// - Parameters:
    ///   - weights: eight to a block, in the order of ids, from 0 (not to be chosen) to about 1.
    ///   - total: their sum.
    ///   - unit: in [0, 1).
    mutating func draw(
        from weights: [SIMD8<Float>], total: Double, topK: Int?, topP: Double?, unit: Double
    ) -> UInt32 {
        fillHistogram(weights)
        let wanted = topK == nil ? total * (topP ?? 1) : nil
        collect(weights, downTo: lowestBucket(count: topK, mass: wanted))
        candidates.sort { ($1.weight, $0.id) < ($0.weight, $1.id) }
        if let topK, candidates.count > topK { candidates.removeLast(candidates.count - topK) }
        if let topP { keepMass(topP * (topK == nil ? total : sum())) }
        candidates.sort { $0.id < $1.id }

        let target = unit * sum()
        var before = 0.0
        for candidate in candidates {
            before += Double(candidate.weight)
            if before > target { return candidate.id }
        }
        return candidates.last?.id ?? 0
    }

    private mutating func fillHistogram(_ weights: [SIMD8<Float>]) {
        for bucket in counts.indices {
            counts[bucket] = 0
            masses[bucket] = 0
        }
        for lanes in weights where any(lanes .> 0) {
            for lane in 0..<8 where lanes[lane] > 0 {
                let bucket = Self.bucket(lanes[lane])
                counts[bucket] += 1
                masses[bucket] += Double(lanes[lane])
            }
        }
    }

    private static func bucket(_ weight: Float) -> Int {
        min(Int(weight.bitPattern >> shift), buckets - 1)
    }

    /// The highest bucket down to which there are enough tokens, or enough mass.
    private func lowestBucket(count: Int?, mass: Double?) -> Int {
        var tokens = 0
        var sum = 0.0
        for bucket in counts.indices.reversed() where counts[bucket] > 0 {
            tokens += counts[bucket]
            sum += masses[bucket]
            if let count, tokens >= count { return bucket }
            if let mass, sum >= mass { return bucket }
        }
        return 0
    }

    private mutating func collect(_ weights: [SIMD8<Float>], downTo lowest: Int) {
        candidates.removeAll(keepingCapacity: true)
        let least = Float(bitPattern: UInt32(lowest) << Self.shift)
        for block in weights.indices where any(weights[block] .>= least) {
            let lanes = weights[block]
            for lane in 0..<8 where lanes[lane] > 0 && Self.bucket(lanes[lane]) >= lowest {
                candidates.append(Candidate(id: UInt32(block * 8 + lane), weight: lanes[lane]))
            }
        }
    }

    /// Keeps the shortest beginning that has at least this sum, and never less than one token.
    private mutating func keepMass(_ mass: Double) {
        var sum = 0.0
        for index in candidates.indices {
            sum += Double(candidates[index].weight)
            if sum >= mass {
                candidates.removeLast(candidates.count - index - 1)
                return
            }
        }
    }

    private func sum() -> Double {
        candidates.reduce(0) { $0 + Double($1.weight) }
    }
}
