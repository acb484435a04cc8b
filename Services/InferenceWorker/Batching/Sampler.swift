/// Chooses tokens from logits, as a function of the logits, the settings, the tokens so far, the seed and the index
/// alone: never of earlier calls or of other requests.
///
/// In this order: biases are added; what ends the answer is masked while the minimum is not reached; penalties; then, for
/// temperature 0, the best token, the lowest id among equals; else softmax at the temperature, min-p, top-k and top-p,
/// each on what the one before left, and a draw by inverting the cumulative distribution in the order of the ids.
/// Penalties are those of vLLM: repetition looks at prompt and answer, presence and frequency at the answer. Tokens
/// less than 2⁻³² times as likely as the best one are never drawn.
public struct Sampler: Sendable {
    typealias Lanes = SIMD8<Float>

    /// Below this a temperature counts as 0.
    public static let lowestTemperature: Float = 1e-5
    static let lowestWeight: Float = 0x1p-32

    /// Note how far the best logit is from the second best.
    public var notesMargin: Bool
    private let vocabularySize: Int
    private let endOfGeneration: [UInt32]
    /// Logits, the last lanes filled up with -∞; NaN counts as -∞.
    private var logits: [Lanes]
    /// What the softmax makes of `logits`, before it is divided by its sum: 1 for the best token.
    var weights: [Lanes]
    private var selection = TokenSelection()
    /// How often each token stands in the answer, plus one if it stands in the prompt or the answer; 0 between calls.
    private var counts: [Int32]

    /// - Parameter endOfGeneration: ids that are end-of-generation tokens.
    public init(vocabularySize: Int, endOfGeneration: [UInt32], notesMargin: Bool = false) {
        self.vocabularySize = vocabularySize
        self.endOfGeneration = endOfGeneration.filter { $0 < vocabularySize }
        self.notesMargin = notesMargin
        let blocks = (vocabularySize + Lanes.scalarCount - 1) / Lanes.scalarCount
        logits = Array(repeating: Lanes(repeating: -.infinity), count: blocks)
        weights = Array(repeating: Lanes(repeating: 0), count: blocks)
        counts = Array(repeating: 0, count: vocabularySize)
    }

    /// - Parameters:
    ///   - row: logits of all ids of the vocabulary.
    ///   - rules: the request's, where it has any.
    ///   - history: the request's tokens so far, its prompt first, when a penalty needs them.
    /// - Returns: nil if no logit is a finite number.
    public mutating func sample(
        _ row: Span<Float>, for request: SampleRequest, rules: TokenRules? = nil, history: Span<UInt32>
    ) -> SampledToken? {
        let sampling = request.sampling
        let isGreedy = !(sampling.temperature >= Self.lowestTemperature)
        if isGreedy, !sampling.hasPenalties, !request.masksEndOfGeneration, rules?.biases.isEmpty ?? true {
            return greedy(row)
        }
        load(row)
        if let rules { add(rules.biases) }
        if request.masksEndOfGeneration {
            for id in endOfGeneration { setLogit(id, -.infinity) }
            for id in rules?.stops ?? [] where id < vocabularySize { setLogit(id, -.infinity) }
        }
        if request.sampling.hasPenalties {
            penalize(request.sampling, history: history, promptCount: request.promptCount)
        }
        let best = maximum()
        guard best.isFinite else { return nil }

        var margin: Float?
        if notesMargin { margin = best - secondBest(best) }
        let id = isGreedy ? first(equalTo: best) : draw(sampling, best: best, index: request.index)
        return SampledToken(token: id, isEndOfGeneration: endOfGeneration.contains(id), margin: margin)
    }

    private func greedy(_ row: Span<Float>) -> SampledToken? {
        let count = min(row.count, vocabularySize)
        var best = -Float.infinity
        var id = 0
        for index in 0..<count where row[index] > best {
            best = row[index]
            id = index
        }
        guard best.isFinite else { return nil }
        var margin: Float?
        if notesMargin {
            var second = -Float.infinity
            for index in 0..<count where row[index] > second && index != id { second = row[index] }
            margin = best - second
        }
        return SampledToken(
            token: UInt32(id), isEndOfGeneration: endOfGeneration.contains(UInt32(id)), margin: margin)
    }

    private mutating func load(_ row: Span<Float>) {
        let count = min(row.count, vocabularySize)
        let width = Lanes.scalarCount
        let whole = count / width
        let lowest = Lanes(repeating: -.infinity)
        for block in 0..<whole {
            let at = block * width
            let lanes = Lanes(
                row[at], row[at + 1], row[at + 2], row[at + 3], row[at + 4], row[at + 5], row[at + 6], row[at + 7])
            logits[block] = lanes.replacing(with: lowest, where: lanes .!= lanes)
        }
        for block in whole..<logits.count {
            var lanes = lowest
            for lane in 0..<width where block * width + lane < count {
                let value = row[block * width + lane]
                lanes[lane] = value.isNaN ? -.infinity : value
            }
            logits[block] = lanes
        }
    }

    private func logit(_ id: UInt32) -> Float {
        logits[Int(id) / Lanes.scalarCount][Int(id) % Lanes.scalarCount]
    }

    private mutating func setLogit(_ id: UInt32, _ value: Float) {
        logits[Int(id) / Lanes.scalarCount][Int(id) % Lanes.scalarCount] = value
    }

    private mutating func add(_ biases: [TokenBias]) {
        for bias in biases where bias.token < vocabularySize { setLogit(bias.token, logit(bias.token) + bias.bias) }
    }

    private mutating func penalize(_ sampling: SamplingSettings, history: Span<UInt32>, promptCount: Int) {
        for index in 0..<history.count where history[index] < vocabularySize {
            let id = Int(history[index])
            if counts[id] == 0 { counts[id] = 1 }
            if index >= promptCount { counts[id] += 1 }
        }
        for index in 0..<history.count where history[index] < vocabularySize {
            let id = history[index]
            let count = counts[Int(id)]
            guard count > 0 else { continue }
            counts[Int(id)] = 0
            var value = logit(id)
            if sampling.repetitionPenalty != 1, sampling.repetitionPenalty > 0 {
                value = value > 0 ? value / sampling.repetitionPenalty : value * sampling.repetitionPenalty
            }
            if count > 1 {
                value -= sampling.presencePenalty + Float(count - 1) * sampling.frequencyPenalty
            }
            setLogit(id, value)
        }
    }

    private func maximum() -> Float {
        var best = Lanes(repeating: -.infinity)
        for lanes in logits { best.replace(with: lanes, where: lanes .> best) }
        return best.max()
    }

    private func first(equalTo value: Float) -> UInt32 {
        let wanted = Lanes(repeating: value)
        for block in logits.indices where any(logits[block] .== wanted) {
            for lane in 0..<Lanes.scalarCount where logits[block][lane] == value {
                return UInt32(block * Lanes.scalarCount + lane)
            }
        }
        return 0
    }

    private func secondBest(_ best: Float) -> Float {
        let skipped = Int(first(equalTo: best))
        var second = -Float.infinity
        for block in logits.indices {
            var lanes = logits[block]
            if block == skipped / Lanes.scalarCount { lanes[skipped % Lanes.scalarCount] = -.infinity }
            second = max(second, lanes.max())
        }
        return second
    }

    private mutating func draw(_ sampling: SamplingSettings, best: Float, index: UInt32) -> UInt32 {
        let least = max(Self.lowestWeight, min(sampling.minP, 1))
        let total = computeWeights(best: best, temperature: sampling.temperature, least: least)
        let unit = CounterRandom.unit(seed: sampling.seed, counter: UInt64(index))
        let topK = sampling.topK > 0 && Int(sampling.topK) < vocabularySize ? Int(sampling.topK) : nil
        let topP = sampling.topP < 1 ? Double(max(0, sampling.topP)) : nil
        if topK != nil || topP != nil {
            return selection.draw(from: weights, total: total, topK: topK, topP: topP, unit: unit)
        }
        return drawFromAll(total: total, unit: unit)
    }

    /// - Returns: the sum of the weights.
    private mutating func computeWeights(best: Float, temperature: Float, least: Float) -> Double {
        let scale = Lanes(repeating: 1 / temperature * 1.442_695_04)
        let best = Lanes(repeating: best)
        let least = Lanes(repeating: least)
        let zero = Lanes(repeating: 0)
        var total = 0.0
        for block in logits.indices {
            let weight = exponential2((logits[block] - best) * scale)
            let kept = weight.replacing(with: zero, where: weight .< least)
            weights[block] = kept
            total += Double(kept.sum())
        }
        return total
    }

    private func drawFromAll(total: Double, unit: Double) -> UInt32 {
        let target = unit * total
        var before = 0.0
        var last: UInt32 = 0
        for block in weights.indices {
            let lanes = weights[block]
            let sum = Double(lanes.sum())
            guard sum > 0 else { continue }
            if before + sum <= target {
                before += sum
                last = UInt32(block * Lanes.scalarCount)
                continue
            }
            for lane in 0..<Lanes.scalarCount where lanes[lane] > 0 {
                before += Double(lanes[lane])
                last = UInt32(block * Lanes.scalarCount + lane)
                if before > target { return last }
            }
            return last
        }
        return lastLikely(from: Int(last) / Lanes.scalarCount)
    }

    /// The last token with a weight, in this block.
    private func lastLikely(from block: Int) -> UInt32 {
        let lanes = weights[block]
        let lane = (0..<Lanes.scalarCount).last { lanes[$0] > 0 } ?? 0
        return UInt32(block * Lanes.scalarCount + lane)
    }
}

/// 2ˣ for x ≤ 0, to about 2⁻²²; 0 below 2⁻¹²⁶. The polynomial is that of the Cephes library's `exp2f`.
func exponential2(_ x: SIMD8<Float>) -> SIMD8<Float> {
    let clamped = x.replacing(with: -126, where: x .< -126)
    // Adding 1.5 · 2²³ rounds to a whole number, which then stands in the low bits.
    let shifted = clamped + 12_582_912
    let whole = shifted - 12_582_912
    let part = clamped - whole
    var polynomial = SIMD8<Float>(repeating: 1.535_336_188_319_500e-4)
    polynomial = polynomial * part + 1.339_887_440_266_574e-3
    polynomial = polynomial * part + 9.618_437_357_674_640e-3
    polynomial = polynomial * part + 5.550_332_471_162_809e-2
    polynomial = polynomial * part + 2.402_264_791_363_012e-1
    polynomial = polynomial * part + 6.931_472_028_550_421e-1
    polynomial = polynomial * part + 1
    let power = SIMD8<Float>(
        power2(shifted[0]), power2(shifted[1]), power2(shifted[2]), power2(shifted[3]),
        power2(shifted[4]), power2(shifted[5]), power2(shifted[6]), power2(shifted[7]))
    return (polynomial * power).replacing(with: 0, where: x .< -126)
}

/// 2ⁿ for the n in the low bits of n + 1.5 · 2²³.
@inline(__always)
private func power2(_ shifted: Float) -> Float {
    Float(bitPattern: (shifted.bitPattern &- 0x4b40_0000 &+ 127) &<< 23)
}
