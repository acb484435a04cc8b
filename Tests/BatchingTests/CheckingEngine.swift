import Batching

/// An engine whose tokens depend on all that a sequence's KV cache holds, so that a wrong copy, cut or position changes
/// the answer; it notes whatever a real one would refuse.
struct CheckingEngine: Engine {
    let vocabularySize: Int
    let contextCells: Int
    let maximumSequences: Int
    let maximumStepTokens: Int
    let endOfGeneration: UInt32
    var sharesPrefixes: Bool { true }
    var name: String { "checking" }

    private(set) var complaints: [String] = []
    private(set) var steps = 0
    private(set) var largestUse = 0
    /// For each sequence its tokens, each with the cell that holds it.
    private var sequences: [[(token: UInt32, cell: Int)]]
    private var nextCell = 0

    init(vocabularySize: Int, contextCells: Int, maximumSequences: Int, maximumStepTokens: Int, end: UInt32) {
        self.vocabularySize = vocabularySize
        self.contextCells = contextCells
        self.maximumSequences = maximumSequences
        self.maximumStepTokens = maximumStepTokens
        endOfGeneration = end
        sequences = Array(repeating: [], count: maximumSequences)
    }

    func isEndOfGeneration(_ token: UInt32) -> Bool { token == endOfGeneration }

    /// Distinct cells that hold something.
    var cellsInUse: Int { Set(sequences.joined().map(\.cell)).count }

    mutating func step(_ plan: borrowing StepPlan, into result: inout StepResult) throws(EngineError) {
        result.clear()
        steps += 1
        for operation in plan.operations { perform(operation) }
        if plan.tokens.isEmpty { complaints.append("an empty step") }
        if plan.tokens.count > maximumStepTokens { complaints.append("\(plan.tokens.count) tokens in a step") }
        var wanted: [Int] = []
        for (index, token) in plan.tokens.enumerated() {
            let sequence = Int(token.sequence)
            if sequences[sequence].count != Int(token.position) {
                complaints.append("position \(token.position) in a sequence of \(sequences[sequence].count)")
            }
            sequences[sequence].append((token.token, nextCell))
            nextCell += 1
            if token.wantsLogits { wanted.append(index) }
        }
        if wanted != plan.samples.map(\.entry) { complaints.append("samples and logits differ") }
        largestUse = max(largestUse, cellsInUse)
        if cellsInUse > contextCells { complaints.append("\(cellsInUse) cells") }
        for sample in plan.samples {
            let sequence = Int(plan.tokens[sample.entry].sequence)
            if sequences[sequence].count != Int(plan.tokens[sample.entry].position) + 1 {
                complaints.append("logits before the end of a chunk")
            }
            let token = Self.next(
                after: sequences[sequence].map(\.token), vocabularySize: vocabularySize,
                masked: sample.masksEndOfGeneration ? endOfGeneration : nil)
            result.samples.append(SampledToken(token: token, isEndOfGeneration: token == endOfGeneration))
        }
        result.energy = StepEnergy(microjoules: UInt64(1_000 + 7 * plan.tokens.count), source: .modelled)
    }

    private mutating func perform(_ operation: SequenceOperation) {
        switch operation {
        case .remove(let sequence, let start):
            let kept = min(Int(start), sequences[Int(sequence)].count)
            sequences[Int(sequence)].removeLast(sequences[Int(sequence)].count - kept)
        case .copy(let source, let destination, let count):
            if !sequences[Int(destination)].isEmpty { complaints.append("a copy onto a sequence that is not empty") }
            if sequences[Int(source)].count < Int(count) { complaints.append("a copy of more than there is") }
            sequences[Int(destination)] = Array(sequences[Int(source)].prefix(Int(count)))
        }
    }

    /// The model: what follows these tokens.
    static func next(after tokens: [UInt32], vocabularySize: Int, masked: UInt32?) -> UInt32 {
        var hash: UInt64 = 1
        for token in tokens { hash = CounterRandom.bits(seed: hash, counter: UInt64(token)) }
        let token = UInt32(hash % UInt64(vocabularySize))
        return token == masked ? (token + 1) % UInt32(vocabularySize) : token
    }
}
