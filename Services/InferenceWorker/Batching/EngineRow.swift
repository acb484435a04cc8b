/// Why a request ended.
public enum GenerationEnd: Equatable, Sendable {
    /// The model chose an end-of-generation token, or one that the request stops at; the row carries it.
    case endOfGeneration
    /// The limit is reached, or the context is full.
    case length
    case cancelled
    /// Given back unfinished: another engine goes on with it.
    case handedBack
    case failed(RequestFailure)
}

/// Why a request failed.
public enum RequestFailure: Error, Equatable, Sendable {
    case emptyPrompt
    /// Prompt and answer need at least one token more than the context has.
    case promptTooLong(tokens: Int, contextLength: Int)
    case unknownToken(UInt32)
    case engine(EngineError)
    /// Its time was over before it was complete.
    case deadlineExceeded
}

/// One request's part of a step, or its end. Small, since most rows are a token and nothing else.
public struct EngineRow: Equatable, Sendable {
    public var id: UInt64
    /// nil in rows that only end a request.
    public var token: UInt32?
    /// Index of the token, counted from the end of the original prompt; without one, how many there are.
    public var index: UInt32
    /// Of rows that begin or end a request here; nil in all others.
    public var details: RowDetails?

    /// nil: it goes on.
    public var end: GenerationEnd? { details?.end }
}

/// What only a request's first and last rows tell.
public final class RowDetails: Equatable, Sendable {
    /// nil: it goes on.
    public let end: GenerationEnd?
    /// The first row of this request here.
    public let isFirst: Bool
    /// Tokens of the prompt (resumed ones included) whose keys and values were in the cache when the request began.
    public let cachedTokens: UInt32
    /// When its first step began, in the caller's time; 0 if there was none.
    public let begunAt: UInt64
    /// What this attempt made and used, up to now.
    public let usage: AttemptUsage

    init(end: GenerationEnd?, of work: Work) {
        self.end = end
        isFirst = !work.hasRow
        cachedTokens = UInt32(clamping: work.cachedTokens)
        begunAt = work.begunAt
        usage = work.usage
    }

    public static func == (left: RowDetails, right: RowDetails) -> Bool {
        left.end == right.end && left.isFirst == right.isFirst && left.cachedTokens == right.cachedTokens
            && left.begunAt == right.begunAt && left.usage == right.usage
    }
}

/// What one request made and used on this engine.
public struct AttemptUsage: Equatable, Sendable {
    /// Tokens chosen, an end-of-generation token included.
    public var produced: UInt32 = 0
    /// Tokens of the prompt computed, those computed again after a preemption included.
    public var prefilled: UInt32 = 0
    public var preemptions: UInt32 = 0
    /// Its share of its steps' energy; nil if that of a step is not known.
    public var microjoules: UInt64? = 0
    /// nil before the first step. Modelled if any part is.
    public var energySource: EnergySource?

    public init() {}
}
