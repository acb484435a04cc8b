/// What the scheduler keeps of a request, wherever it stands.
struct Work: Sendable {
    // What each step reads stands first, together.
    let id: UInt64
    let promptDigest: UInt64
    /// Tokens of the original prompt.
    let promptCount: Int
    let limits: TokenLimits
    var usage = AttemptUsage()
    /// How it ends once the step that it is in is complete.
    var ending: EarlyEnd?
    var hasRow = false
    let sampling: SamplingSettings
    let rules: TokenRules?
    let tenant: String
    let priority: Int32
    /// `UInt64.max`: never.
    let deadline: UInt64
    /// Its turn: the order of admission, but that a tenant's requests have changed turns by priority. A preempted
    /// request keeps it.
    var arrival: UInt64
    var cachedTokens = 0
    var begunAt: UInt64 = 0
    var hasBegun = false

    init(_ request: EngineRequest, arrival: UInt64) {
        id = request.id
        promptDigest = request.promptDigest
        promptCount = request.promptCount
        limits = request.limits
        sampling = request.sampling
        rules = request.rules
        tenant = request.tenant
        priority = request.priority
        deadline = request.deadline ?? .max
        self.arrival = arrival
    }
}

/// How a request may end while a step computes it. Plain, so that copying a request's record costs nothing.
enum EarlyEnd: Sendable {
    case cancelled
    case handedBack
    case overdue

    var end: GenerationEnd {
        switch self {
        case .cancelled: .cancelled
        case .handedBack: .handedBack
        case .overdue: .failed(.deadlineExceeded)
        }
    }
}

/// A request without a sequence.
struct WaitingWork: Sendable {
    var work: Work
    /// Prompt and all that was generated.
    var tokens: [UInt32]
    /// With whom it shares what is cached. Not in `work`, whose copies cost nothing.
    let owner: CacheOwner
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
    /// Its prompt is computed: each step makes a token.
    var isDecoding = false
    /// Tokens whose keys and values are in the cache.
    var computed = 0
    /// Tokens of it in the step that is under way.
    var planned = 0
    /// Number of the step that used it last.
    var lastUse: UInt64 = 0
    /// Running: prompt and all that was generated. Retained: what was computed of it.
    var tokens: [UInt32] = []
    /// Of the request that used it last.
    var owner = CacheOwner()
    /// Cells of the first tokens: of those computed, and of those that are to be.
    var cells: [Int32] = []
    /// What it computes; means something only while it runs.
    var work = Work(EngineRequest(id: 0, tokens: [], limits: TokenLimits(maximumTokens: 0)), arrival: 0)

    var remaining: Int { tokens.count - computed }
}
