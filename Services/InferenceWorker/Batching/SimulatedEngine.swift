/// An accelerator that is not there: each step takes the time and energy that a model says, and makes tokens that are
/// a function of the original prompt and their index alone, so that neither the batch, nor the worker, nor a resume
/// changes an answer. A bias of -100 keeps a token out of it, and of 100 makes it of that token alone; there are no logits
/// that lesser ones could shift.
public struct SimulatedEngine: Engine {
    /// When an answer ends of its own accord.
    public enum AnswerLength: Equatable, Sendable {
        /// Never: it runs to the request's limit.
        case unlimited
        /// With an end-of-generation token, after a number of tokens that depends on the prompt, from 1 to
        /// 2 · `mean` - 1, each as likely.
        case varied(mean: Int)
    }

    public struct Options: Sendable {
        public var model: StepModel
        /// What a step's wait is of its modelled time: 1 as modelled, 0 not at all.
        public var timeScale: Double
        /// The tokens that answers are made of; not empty.
        public var tokenTable: [UInt32]
        public var vocabularySize: Int
        public var endOfGeneration: [UInt32]
        public var answerLength: AnswerLength
        /// nil: what fits the accelerator's memory.
        public var contextCells: Int?
        public var maximumSequences: Int
        public var maximumStepTokens: Int

        public init(
            model: StepModel, timeScale: Double = 1, tokenTable: [UInt32], vocabularySize: Int,
            endOfGeneration: [UInt32] = [], answerLength: AnswerLength = .unlimited, contextCells: Int? = nil,
            maximumSequences: Int = 256, maximumStepTokens: Int = 8192
        ) {
            self.model = model
            self.timeScale = timeScale
            self.tokenTable = tokenTable
            self.vocabularySize = vocabularySize
            self.endOfGeneration = endOfGeneration
            self.answerLength = answerLength
            self.contextCells = contextCells
            self.maximumSequences = maximumSequences
            self.maximumStepTokens = maximumStepTokens
        }
    }

    /// The most cells that it keeps account of, however large the accelerator's memory is.
    public static let cellLimit = 1 << 20

    public let options: Options
    public let contextCells: Int
    /// Where each sequence ends, from the tokens of the step: what it reads of its keys and values.
    private var lengths: [Int]
    private var touched: [Int] = []

    /// Throws if the table is empty or has an id outside the vocabulary, or the weights do not fit the accelerator.
    public init(_ options: Options) throws(EngineError) {
        guard !options.tokenTable.isEmpty, options.tokenTable.allSatisfy({ $0 < options.vocabularySize }) else {
            throw .failed("the simulated engine's tokens are none, or not in a vocabulary of \(options.vocabularySize)")
        }
        let cells = options.contextCells ?? min(options.model.kvCapacity, Self.cellLimit)
        guard cells > 0, options.maximumSequences > 0 else {
            throw .failed("\(options.model.shape.name) does not fit \(options.model.accelerator.name)")
        }
        self.options = options
        contextCells = cells
        lengths = Array(repeating: 0, count: options.maximumSequences)
    }

    public var name: String { "simulated \(options.model.accelerator.name)" }
    public var vocabularySize: Int { options.vocabularySize }
    public var maximumSequences: Int { options.maximumSequences }
    public var maximumStepTokens: Int { options.maximumStepTokens }
    public var sharesPrefixes: Bool { true }

    public func isEndOfGeneration(_ token: UInt32) -> Bool { options.endOfGeneration.contains(token) }

    public mutating func step(_ plan: borrowing StepPlan, into result: inout StepResult) throws(EngineError) {
        result.clear()
        for sample in plan.samples { result.samples.append(token(for: sample, by: plan.rules(of: sample))) }
        let cost = options.model.cost(tokens: plan.tokens.count, contextTokens: contextTokens(of: plan))
        result.modelledDuration = UInt64(cost.duration)
        result.wait = UInt64(max(0, cost.duration * options.timeScale))
        result.energy = cost.power.map {
            StepEnergy(microjoules: UInt64($0 * cost.duration / 1000), source: .modelled)
        }
    }

    private mutating func contextTokens(of plan: borrowing StepPlan) -> Int {
        for token in plan.tokens {
            let sequence = Int(token.sequence)
            if lengths[sequence] == 0 { touched.append(sequence) }
            lengths[sequence] = max(lengths[sequence], Int(token.position) + 1)
        }
        var sum = 0
        for sequence in touched {
            sum += lengths[sequence]
            lengths[sequence] = 0
        }
        touched.removeAll(keepingCapacity: true)
        return sum
    }

    private func token(for sample: SampleRequest, by rules: TokenRules?) -> SampledToken {
        if let forced = rules?.biases.first(where: { $0.bias >= 100 && $0.token < options.vocabularySize }) {
            return SampledToken(token: forced.token, isEndOfGeneration: isEndOfGeneration(forced.token))
        }
        if !sample.masksEndOfGeneration, let end = options.endOfGeneration.first,
            case .varied(let mean) = options.answerLength,
            UInt64(sample.index) >= Self.length(of: sample.promptDigest, mean: mean)
        {
            return SampledToken(token: end, isEndOfGeneration: true)
        }
        let choice = CounterRandom.bits(seed: sample.promptDigest, counter: UInt64(sample.index))
        let place = choice.multipliedFullWidth(by: UInt64(options.tokenTable.count)).high
        var token = options.tokenTable[Int(place)]
        if let rules { token = self.token(from: Int(place), by: rules, for: sample) ?? token }
        return SampledToken(token: token, isEndOfGeneration: isEndOfGeneration(token))
    }

    /// The first token of the table from `place` on that may be made; nil if none may.
    private func token(from place: Int, by rules: TokenRules, for sample: SampleRequest) -> UInt32? {
        let table = options.tokenTable
        return (0..<table.count).lazy.map { table[(place + $0) % table.count] }.first { token in
            !(sample.masksEndOfGeneration && rules.stops.contains(token))
                && !rules.biases.contains { $0.token == token && $0.bias <= -100 }
        }
    }

    private static func length(of digest: UInt64, mean: Int) -> UInt64 {
        let longest = UInt64(max(1, 2 * mean - 1))
        return 1 + CounterRandom.bits(seed: digest, counter: .max).multipliedFullWidth(by: longest).high
    }
}
