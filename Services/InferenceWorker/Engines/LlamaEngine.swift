public import Batching
public import Llama

/// Computes steps with libllama: on the CPU, or on whatever its build offloads to.
public struct LlamaEngine: ~Copyable, Engine, Sendable {
    public struct Options: Sendable {
        /// Tokens in the KV cache, which all requests share.
        public var contextCells: Int
        /// Of running and of retained requests.
        public var maximumSequences: Int
        /// The most tokens in a step.
        public var maximumStepTokens: Int
        /// Threads for steps of one token.
        public var threads: Int
        /// Threads for all other steps.
        public var batchThreads: Int
        public var flashAttention: LlamaContext.FlashAttention
        /// Note how near to a tie each choice was.
        public var notesMargin: Bool
        /// Compute steps so that the CPU's kernels treat a token alike in every batch: see ``StepDivision``. nil: if
        /// libllama has no other device.
        public var dividesSteps: Bool?
        /// Lets another thread end a step that runs on the CPU.
        public var abortFlag: LlamaAbortFlag?

        public init(
            contextCells: Int, maximumSequences: Int, maximumStepTokens: Int = 512, threads: Int,
            batchThreads: Int? = nil, flashAttention: LlamaContext.FlashAttention = .automatic,
            notesMargin: Bool = false, dividesSteps: Bool? = nil, abortFlag: LlamaAbortFlag? = nil
        ) {
            self.contextCells = contextCells
            self.maximumSequences = maximumSequences
            self.maximumStepTokens = maximumStepTokens
            self.threads = threads
            self.batchThreads = batchThreads ?? threads
            self.flashAttention = flashAttention
            self.notesMargin = notesMargin
            self.dividesSteps = dividesSteps
            self.abortFlag = abortFlag
        }
    }

    public let name: String
    public let sharesPrefixes: Bool
    public let affordableRetainedCells: Int
    private var context: LlamaContext
    private var batch: LlamaBatch
    private var sampler: Sampler
    private var division: StepDivision

    /// Blocks until the KV cache is there.
    public init(model: LlamaModel, options: Options) throws(LlamaError) {
        context = try LlamaContext(
            model: model,
            options: LlamaContext.Options(
                contextLength: options.contextCells, batchTokens: options.maximumStepTokens,
                microBatchTokens: options.maximumStepTokens, maximumSequences: options.maximumSequences,
                threads: options.threads, batchThreads: options.batchThreads,
                flashAttention: options.flashAttention, abortFlag: options.abortFlag))
        batch = LlamaBatch(capacity: context.batchTokens)
        sampler = Sampler(
            vocabularySize: model.vocabulary.count, endOfGeneration: model.vocabulary.endOfGenerationTokens,
            notesMargin: options.notesMargin)
        let divides = options.dividesSteps ?? LlamaBackend.devices.allSatisfy { $0.hasPrefix("CPU") }
        division = divides ? StepDivision() : StepDivision(smallCall: batch.capacity, longRun: batch.capacity)
        // On the CPU, attention looks at the mask of every cell up to the last one in use: each 1,024 cells that finished
        // requests keep cost a step of eight tokens some five percent.
        affordableRetainedCells = divides ? min(context.contextLength, 1024) : context.contextLength
        name = "llama.cpp \(model.description)"
        sharesPrefixes = Self.cutsSequences(&context, &batch)
    }

    public var vocabularySize: Int { context.vocabularyCount }
    public var contextCells: Int { context.contextLength }
    public var maximumSequences: Int { context.maximumSequences }
    public var maximumStepTokens: Int { batch.capacity }

    public func isEndOfGeneration(_ token: UInt32) -> Bool {
        context.model.vocabulary.isEndOfGeneration(token)
    }

    public mutating func step(_ plan: borrowing StepPlan, into result: inout StepResult) throws(EngineError) {
        result.clear()
        for operation in plan.operations { try perform(operation) }
        guard plan.tokens.count <= batch.capacity else {
            throw .failed("a step of \(plan.tokens.count) tokens is over the limit of \(batch.capacity)")
        }
        let unset = SampledToken(token: 0)
        for _ in plan.samples { result.samples.append(unset) }
        division.divide(plan)
        for call in division.calls {
            try Self.compute(
                division.order[call], of: plan, in: &context, batch: &batch, sampler: &sampler, into: &result)
        }
    }

    /// Computes some of a step's tokens, and chooses what follows those that want it.
    private static func compute(
        _ entries: ArraySlice<StepDivision.Entry>, of plan: borrowing StepPlan, in context: inout LlamaContext,
        batch: inout LlamaBatch, sampler: inout Sampler, into result: inout StepResult
    ) throws(EngineError) {
        batch.clear()
        for entry in entries {
            let token = plan.tokens[entry.token]
            batch.add(
                token: token.token, position: token.position, sequence: token.sequence,
                wantLogits: token.wantsLogits)
        }
        try decode(batch, in: &context)
        for (row, entry) in entries.enumerated() {
            guard let index = entry.sample else { continue }
            result.samples[index] = try sample(
                plan.samples[index], row: row, of: plan, in: &context, with: &sampler)
        }
    }

    private mutating func perform(_ operation: SequenceOperation) throws(EngineError) {
        switch operation {
        case .remove(let sequence, let start):
            guard context.removeSequence(sequence, from: start) else {
                throw .failed("the model cannot forget sequence \(sequence) from position \(start) on")
            }
        case .copy(let source, let destination, let count):
            context.copySequence(from: source, to: destination, positions: 0..<count)
        }
    }

    private static func decode(_ batch: borrowing LlamaBatch, in context: inout LlamaContext) throws(EngineError) {
        do {
            try context.decode(batch)
        } catch .noKVSlot {
            throw .noRoom(cells: context.contextLength, tokens: batch.count)
        } catch .aborted {
            throw .stopped
        } catch {
            throw .failed("llama_decode: \(error)")
        }
    }

    private static func sample(
        _ request: SampleRequest, row: Int, of plan: borrowing StepPlan, in context: inout LlamaContext,
        with sampler: inout Sampler
    ) throws(EngineError) -> SampledToken {
        let sequence = plan.tokens[request.entry].sequence
        let rules = plan.rules(of: request)
        let choice = context.withLogits(row) { logits in
            sampler.sample(
                logits, for: request, rules: rules, history: plan.history.span.extracting(request.history))
        }
        guard let choice else { throw .failed("llama_decode left no logits for sequence \(sequence)") }
        guard let token = choice else { throw .noFiniteLogit(sequence: sequence) }
        return token
    }

    /// Whether this kind of model can forget the end of a sequence: those with a recurrent state cannot.
    private static func cutsSequences(_ context: inout LlamaContext, _ batch: inout LlamaBatch) -> Bool {
        batch.clear()
        for position in 0..<Int32(2) where batch.count < batch.capacity {
            batch.add(token: 0, position: position, sequence: 0, wantLogits: false)
        }
        defer { context.clear() }
        guard (try? context.decode(batch)) != nil else { return false }
        return context.removeSequence(0, from: 1)
    }
}
