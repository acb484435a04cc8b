public import Batching

/// What the engine's thread did between two looks into its mailbox: at most one step, and what ended.
public struct StepReport: Sendable {
    public var rows: [EngineRow]
    /// On the runner's clock, in nanoseconds.
    public var begunAt: UInt64
    public var endedAt: UInt64
    /// Tokens computed; 0 if there was no step.
    public var tokens: Int
    /// Of the whole step; nil if not known.
    public var energy: StepEnergy?
    /// Why the step failed; its requests' rows say so too.
    public var error: EngineError?
    /// After the step.
    public var load: SchedulerLoad
}
