/// What the scheduler keeps of a request, wherever it stands.
struct Work: Sendable {
    let id: UInt64
    /// Order of admission; a preempted request keeps it.
    let arrival: UInt64
    let sampling: SamplingSettings
    let limits: TokenLimits
    let promptDigest: UInt64
    /// Tokens of the original prompt.
    let promptCount: Int
    var cachedTokens = 0
    var begunAt: UInt64 = 0
    var hasBegun = false
    var hasRow = false
    var usage = AttemptUsage()
    /// How it ends once the step that it is in is complete.
    var ending: EarlyEnd?
}

/// How a request may end while a step computes it. Plain, so that copying a request's record costs nothing.
enum EarlyEnd: Sendable {
    case cancelled
    case handedBack

    var end: GenerationEnd {
        switch self {
        case .cancelled: .cancelled
        case .handedBack: .handedBack
        }
    }
}

/// A request without a sequence.
struct WaitingWork: Sendable {
    var work: Work
    /// Prompt and all that was generated.
    var tokens: [UInt32]
    /// Steps in which it found no room.
    var blockedSteps = 0
}

/// One of the engine's sequences.
struct SequenceSlot: Sendable {
    enum State: Sendable {
        /// It holds nothing.
        case free
        case running
        /// It has finished; its keys and values stay until their cells are needed.
        case retained
    }

    var state: State = .free
    /// Running: prompt and all that was generated. Retained: what was computed of it.
    var tokens: [UInt32] = []
    /// Cells of the first tokens: of those computed, and of those that are to be.
    var cells: [Int32] = []
    /// Tokens whose keys and values are in the cache.
    var computed = 0
    /// Its prompt is computed: each step makes a token.
    var isDecoding = false
    /// Tokens of it in the step that is under way.
    var planned = 0
    /// Number of the step that used it last.
    var lastUse: UInt64 = 0
    /// Set exactly while it runs.
    var work: Work?

    var remaining: Int { tokens.count - computed }
}
