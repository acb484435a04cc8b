import Telemetry
public import Wire

/// The figures of a run.
///
/// As vLLM and AIPerf define them: TTFT from a request's begin to its first token; TPOT, of each answer with more than
/// one token, from its first to its last token divided by their number less one; ITL between deliveries of tokens (a
/// delivery can bring several that were ready together). A request begins when it should have been sent, so that a
/// service that stalls an open loop cannot hide it (coordinated omission); in a closed loop that is when it was sent.
public struct LoadReport: Sendable {
    public let settings: LoadSettings
    public let model: String
    public let startedAt: UInt64
    /// When the last request ended.
    public private(set) var endedAt: UInt64

    public internal(set) var sent = 0
    public private(set) var ended = 0
    /// Answers that came whole.
    public private(set) var completed = 0
    public private(set) var failed = 0
    /// Complete answers with fewer tokens than asked for, although they were to go on past their end.
    public private(set) var short = 0
    public private(set) var tokens = 0
    public private(set) var promptTokens = 0
    public private(set) var cachedTokens = 0
    /// How often each error occurred.
    public private(set) var errors: [String: Int] = [:]

    public private(set) var ttft = Distribution()
    public private(set) var itl = Distribution()
    public private(set) var tpot = Distribution()
    public private(set) var latency = Distribution()
    /// From the actual send; differs from `latency` in an open loop only.
    public private(set) var serviceLatency = Distribution()
    /// From when a request should have been sent to when it was.
    public private(set) var sendLag = Distribution()
    public private(set) var hops = HopTable()

    /// What the ledger must say of each request.
    public private(set) var claims: [LedgerClaim] = []
    /// In the order of the requests; only if the settings keep texts.
    public private(set) var answers: [Answer] = []

    public struct Answer: Sendable {
        public var index: Int
        public var text: String
        public var finish: String
    }

    init(settings: LoadSettings, model: String, startedAt: UInt64) {
        self.settings = settings
        self.model = model
        self.startedAt = startedAt
        endedAt = startedAt
    }

    mutating func add(_ outcome: LoadOutcome) {
        ended += 1
        endedAt = max(endedAt, outcome.endedAt)
        claims.append(LedgerClaim(id: outcome.id, tokens: outcome.isComplete ? outcome.tokens : nil))
        if outcome.sentAt >= outcome.intendedAt { sendLag.record(outcome.sentAt - outcome.intendedAt) }
        guard outcome.isComplete else {
            failed += 1
            errors[outcome.error ?? "no finish reason", default: 0] += 1
            return
        }
        completed += 1
        tokens += outcome.tokens
        promptTokens += outcome.promptTokens
        cachedTokens += outcome.cachedTokens
        if settings.ignoresEndOfSequence, outcome.tokens < settings.maximumTokens { short += 1 }
        latency.record(outcome.endedAt &- outcome.intendedAt)
        serviceLatency.record(outcome.endedAt &- outcome.sentAt)
        if outcome.firstAt > 0 { ttft.record(outcome.firstAt &- outcome.intendedAt) }
        if outcome.firstAt > 0, outcome.tokens > 1 {
            tpot.record((outcome.lastAt &- outcome.firstAt) / UInt64(outcome.tokens - 1))
        }
        for gap in outcome.gaps { itl.record(gap) }
        if settings.wantsHops { hops.add(outcome) }
        if settings.keepsText {
            let answer = Answer(index: outcome.index, text: outcome.text, finish: outcome.finish ?? "")
            let place = answers.firstIndex { $0.index > outcome.index } ?? answers.endIndex
            answers.insert(answer, at: place)
        }
    }

    /// Requests that were sent and did not come to their end.
    public var missing: Int { sent - completed }

    /// Seconds from the beginning to the end of the last answer.
    public var duration: Double { Double(endedAt - startedAt) / 1e9 }

    /// Per second of `duration`.
    public func rate(_ count: Int) -> Double { duration > 0 ? Double(count) / duration : 0 }

    /// Whether every answer came, whole and as long as it had to be.
    public var isFlawless: Bool { missing == 0 && short == 0 }
}

/// What the client knows of a request, to be compared with the ledger.
public struct LedgerClaim: Equatable, Sendable {
    public var id: RequestID
    /// Tokens of the complete answer; nil if it did not come to its end.
    public var tokens: Int?
}
