/// A change to the KV cache's sequences, made before a step's tokens are computed.
public enum SequenceOperation: Equatable, Sendable {
    /// Forgets a sequence's tokens from this position on.
    case remove(sequence: Int32, from: Int32)
    /// Makes the source's first `count` tokens part of the empty destination too. The cells are shared.
    case copy(source: Int32, destination: Int32, count: Int32)
}

/// One token of a step.
public struct StepToken: Equatable, Sendable {
    public var token: UInt32
    /// Its place in the sequence, from 0.
    public var position: Int32
    public var sequence: Int32
    /// Whether the step computes what may follow it; such tokens stand in `StepPlan.samples`, in the same order.
    public var wantsLogits: Bool

    public init(token: UInt32, position: Int32, sequence: Int32, wantsLogits: Bool) {
        self.token = token
        self.position = position
        self.sequence = sequence
        self.wantsLogits = wantsLogits
    }
}

/// A token to choose at the end of a step.
public struct SampleRequest: Equatable, Sendable {
    /// Index in `StepPlan.tokens` of the token whose successor is chosen.
    public var entry: Int
    /// Index of the chosen token, counted from the end of the original prompt.
    public var index: UInt32
    /// Digest of the original prompt.
    public var promptDigest: UInt64
    public var sampling: SamplingSettings
    /// Where in `StepPlan.rules` the request's stand; nil for none. A place and no reference, so that a sample is copied
    /// without being counted.
    public var rules: Int32?
    /// Neither an end-of-generation token nor one that the request stops at may be chosen yet.
    public var masksEndOfGeneration: Bool
    /// Where in `StepPlan.history` the request's tokens stand; empty when no penalty needs them.
    public var history: Range<Int>
    /// How many of these are the original prompt.
    public var promptCount: Int

    public init(
        entry: Int, index: UInt32, promptDigest: UInt64, sampling: SamplingSettings, rules: Int32? = nil,
        masksEndOfGeneration: Bool = false, history: Range<Int> = 0..<0, promptCount: Int = 0
    ) {
        self.entry = entry
        self.index = index
        self.promptDigest = promptDigest
        self.sampling = sampling
        self.rules = rules
        self.masksEndOfGeneration = masksEndOfGeneration
        self.history = history
        self.promptCount = promptCount
    }
}

/// What an engine does in one step: the operations in order, then all tokens at once, then the samples. Reused from
/// step to step.
public struct StepPlan: ~Copyable, Sendable {
    public internal(set) var operations: [SequenceOperation] = []
    public internal(set) var tokens: [StepToken] = []
    public internal(set) var samples: [SampleRequest] = []
    public internal(set) var history: [UInt32] = []
    /// Of the requests that have any, in the order of the samples.
    public internal(set) var rules: [TokenRules] = []

    public init() {}

    mutating func clear() {
        operations.removeAll(keepingCapacity: true)
        tokens.removeAll(keepingCapacity: true)
        samples.removeAll(keepingCapacity: true)
        history.removeAll(keepingCapacity: true)
        rules.removeAll(keepingCapacity: true)
    }

    /// What holds for a sample's token besides its sampling.
    public func rules(of sample: SampleRequest) -> TokenRules? { sample.rules.map { rules[Int($0)] } }
}

/// Where an energy figure comes from.
public enum EnergySource: UInt8, Sendable {
    case measured = 1
    case modelled = 2
}

/// A step's energy.
public struct StepEnergy: Equatable, Sendable {
    public var microjoules: UInt64
    public var source: EnergySource

    public init(microjoules: UInt64, source: EnergySource) {
        self.microjoules = microjoules
        self.source = source
    }
}

/// A token that a step chose.
public struct SampledToken: Equatable, Sendable {
    public var token: UInt32
    public var isEndOfGeneration: Bool
    /// Between the best and the second-best logit, when the engine was asked to note it: how near a tie was.
    public var margin: Float?

    public init(token: UInt32, isEndOfGeneration: Bool = false, margin: Float? = nil) {
        self.token = token
        self.isEndOfGeneration = isEndOfGeneration
        self.margin = margin
    }
}

/// What one step made. Reused from step to step.
public struct StepResult: ~Copyable, Sendable {
    /// One for each of the plan's samples, in the same order.
    public var samples: [SampledToken] = []
    /// nil: not known.
    public var energy: StepEnergy?
    /// How long the step takes according to a model, in nanoseconds; 0 when it took its time already.
    public var modelledDuration: UInt64 = 0
    /// How long whoever runs the engine shall wait, in nanoseconds, before the result counts.
    public var wait: UInt64 = 0

    public init() {}

    public mutating func clear() {
        samples.removeAll(keepingCapacity: true)
        energy = nil
        modelledDuration = 0
        wait = 0
    }
}
