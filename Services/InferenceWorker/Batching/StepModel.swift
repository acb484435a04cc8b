/// A transformer, as far as the cost of a step depends on it.
public struct ModelShape: Equatable, Sendable {
    public var name: String
    public var parameters: Double
    /// Parameters that one token uses; fewer than all in a mixture of experts.
    public var activeParameters: Double
    public var precision: Precision
    /// Keys and values of one token, in all layers.
    public var kvBytesPerToken: Double

    public init(
        name: String, parameters: Double, activeParameters: Double? = nil, precision: Precision,
        kvBytesPerToken: Double
    ) {
        self.name = name
        self.parameters = parameters
        self.activeParameters = activeParameters ?? parameters
        self.precision = precision
        self.kvBytesPerToken = kvBytesPerToken
    }

    /// Llama 3.1 8B: 32 layers, 8 KV heads of 128, 16-bit.
    public static let llama8B = ModelShape(
        name: "llama-3.1-8b", parameters: 8.03e9, precision: .bf16, kvBytesPerToken: 131_072)
    /// Llama 3.3 70B: 80 layers, 8 KV heads of 128, 16-bit keys and values, 8-bit weights.
    public static let llama70B = ModelShape(
        name: "llama-3.3-70b", parameters: 70.6e9, precision: .fp8, kvBytesPerToken: 327_680)
    /// SmolLM2 135M: 30 layers, 3 KV heads of 64, 16-bit.
    public static let smolLM2 = ModelShape(
        name: "smollm2-135m-instruct", parameters: 134.5e6, precision: .bf16, kvBytesPerToken: 23_040)
}

/// Time and energy of a step on an accelerator, as a roofline (Williams, Waterman, Patterson 2009):
/// max(FLOPs ÷ peak, bytes ÷ bandwidth) + overhead, where a step reads all weights and its sequences' keys and values
/// once and computes 2 FLOPs per active parameter and token.
///
/// Power is P = idle + (TDP - idle) · min(1, 0.7 · m + 0.45 · c), where m and c are the shares of the step in which
/// memory and arithmetic are busy. The factors are fitted to two measurements of Llama 3.1 8B in BF16 on an H100
/// (ml-energy/leaderboard at 0cd52dab: 486 W at a batch of 8, 688 W at 511). Everything here is modelled.
public struct StepModel: Equatable, Sendable {
    public var accelerator: Accelerator
    public var shape: ModelShape
    /// Share of the peak that is reached.
    public var computeEfficiency: Double
    /// Share of the bandwidth that is reached.
    public var bandwidthEfficiency: Double
    /// Nanoseconds.
    public var overhead: Double
    /// Share of the TDP drawn while nothing runs; an estimate.
    public var idleShare: Double

    public init(
        accelerator: Accelerator, shape: ModelShape, computeEfficiency: Double = 0.6,
        bandwidthEfficiency: Double = 0.8, overhead: Double = 1e6, idleShare: Double = 0.14
    ) {
        self.accelerator = accelerator
        self.shape = shape
        self.computeEfficiency = computeEfficiency
        self.bandwidthEfficiency = bandwidthEfficiency
        self.overhead = overhead
        self.idleShare = idleShare
    }

    /// Tokens whose keys and values fit beside the weights, in nine tenths of the memory; 0 if the weights do not fit.
    public var kvCapacity: Int {
        let free = accelerator.memoryBytes * 0.9 - shape.parameters * shape.precision.bytesPerWeight
        return max(0, Int(free / shape.kvBytesPerToken))
    }

    /// Watts while nothing runs; nil if no TDP is published.
    public var idlePower: Double? { accelerator.thermalDesignPower.map { $0 * idleShare } }

    /// - Parameters:
    ///   - tokens: computed in the step.
    ///   - contextTokens: keys and values that it reads, over all its sequences.
    /// - Returns: nanoseconds, and watts (nil if no TDP is published).
    public func cost(tokens: Int, contextTokens: Int) -> (duration: Double, power: Double?) {
        let flops = 2 * shape.activeParameters * Double(tokens)
        let bytes =
            shape.parameters * shape.precision.bytesPerWeight + shape.kvBytesPerToken * Double(contextTokens)
        let compute = flops / (accelerator.peak(shape.precision) * computeEfficiency) * 1e9
        let memory = bytes / (accelerator.memoryBandwidth * bandwidthEfficiency) * 1e9
        let duration = max(compute, memory) + overhead
        guard let limit = accelerator.thermalDesignPower, let idle = idlePower else { return (duration, nil) }
        let use = min(1, 0.7 * memory / duration + 0.45 * compute / duration)
        return (duration, idle + (limit - idle) * use)
    }
}
