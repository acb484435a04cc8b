/// Makes an answer go on that another station began, in steps of a few milliseconds: a long one with stop strings takes
/// a second.
///
/// What is missing between the delivered bytes and the text of the tokens so far comes first in the next text that the
/// answer gives out. If that text is over already, ``AnswerAssembler/isStopped`` says so, and
/// ``AnswerAssembler/tokenCount`` how many of the tokens belong to it; ``AnswerAssembler/finish(into:)`` gives the rest.
public struct AnswerResumption: PoolSteps {
    private var answer: AnswerAssembler
    private let generated: [UInt32]
    private let deliveredBytes: UInt64
    private let table: TokenTable
    private let stepTokens: Int
    /// How many of the tokens the answer has.
    private var taken = 0
    private var text: [UInt8] = []

    /// - Parameters:
    ///   - answer: a new one, with what stops it.
    ///   - generated: the ids of the answer so far.
    ///   - deliveredBytes: how much of their text its reader has.
    public init(of answer: AnswerAssembler, generated: [UInt32], deliveredBytes: UInt64, table: TokenTable) {
        self.answer = answer
        self.generated = generated
        self.deliveredBytes = deliveredBytes
        self.table = table
        stepTokens = max(1, Self.stepBytes * Self.tokensPerByte / (1 + answer.stopCount))
    }

    /// What all of it takes, as ``Prompt/cost`` counts.
    public var cost: Int { cost(of: generated.count - taken) }

    public var nextCost: Int { cost(of: min(stepTokens, generated.count - taken)) }

    /// A token's bytes are looked at once for each stop string.
    private func cost(of tokens: Int) -> Int { tokens * (1 + answer.stopCount) / Self.tokensPerByte }

    /// A step takes as long as the encoding of so much text.
    private static let stepBytes = 8 << 10
    /// So many tokens are decoded while one byte of a prompt is encoded.
    private static let tokensPerByte = 4

    public mutating func step() -> Result<AnswerAssembler, AnswerError>? {
        let end = min(generated.count, taken + stepTokens)
        do throws(AnswerError) {
            _ = try answer.push(generated[taken..<end].span, table: table, into: &text)
            taken = end
            guard taken == generated.count || answer.isStopped else { return nil }
            try answer.goOn(from: deliveredBytes, of: text)
            return .success(answer)
        } catch {
            return .failure(error)
        }
    }

    /// Takes all steps at once.
    public mutating func run() -> Result<AnswerAssembler, AnswerError> {
        while true {
            if let result = step() { return result }
        }
    }
}
