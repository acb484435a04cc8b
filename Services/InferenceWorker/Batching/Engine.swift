/// Computes steps. One thread owns it.
public protocol Engine: ~Copyable, Sendable {
    /// For reports, for instance `simulated H100`.
    var name: String { get }
    /// Ids are below this.
    var vocabularySize: Int { get }
    /// Tokens that the KV cache holds, for all sequences together.
    var contextCells: Int { get }
    /// Sequences are numbered from 0 to one less.
    var maximumSequences: Int { get }
    /// The most tokens in a step.
    var maximumStepTokens: Int { get }
    /// Whether sequences can be copied, and cut at any position; without it no prefix is used again.
    var sharesPrefixes: Bool { get }
    /// Cells that finished requests may keep without slowing steps down much.
    var affordableRetainedCells: Int { get }

    func isEndOfGeneration(_ token: UInt32) -> Bool

    /// Makes one step; `result` is cleared first. After an error the KV cache's content is unknown until all sequences
    /// are removed.
    mutating func step(_ plan: borrowing StepPlan, into result: inout StepResult) throws(EngineError)
}

public enum EngineError: Error, Equatable, Sendable {
    /// The KV cache had no room, although the plan kept to `contextCells`.
    case noRoom(cells: Int, tokens: Int)
    /// No logit of a row is a number.
    case noFiniteLogit(sequence: Int32)
    case stopped
    case failed(String)
}

extension Engine where Self: ~Copyable {
    public var affordableRetainedCells: Int { contextCells }
}
