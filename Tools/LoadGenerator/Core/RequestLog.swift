import Wire

/// What a run keeps of each request, small enough for millions: figures are made of it when the run is over.
struct RequestLog: Sendable {
    /// Nanoseconds on the monotonic clock.
    struct Record: Sendable {
        var index: Int
        var intendedAt: UInt64
        var sentAt: UInt64
        /// 0: no token came.
        var firstAt: UInt64
        var lastAt: UInt64
        var endedAt: UInt64
        /// Where its gaps begin in `gaps`.
        var gapsAt: Int
        var gapCount: Int32
        var tokens: Int32
        var maximumTokens: Int32
        var promptTokens: Int32
        var cachedTokens: Int32
        var fate: LoadFate
        var hasUsage: Bool
    }

    /// In the order in which they ended.
    private(set) var records: [Record] = []
    /// Milliseconds between deliveries, of complete answers.
    private(set) var gaps: [Float] = []
    private(set) var ids: [RequestID] = []
    /// How often each error occurred, refusals included.
    private(set) var errors: [String: Int] = [:]
    /// Requests whose token counts cannot be right, and why.
    private(set) var mismatches: [String] = []
    private(set) var hops = HopTable()
    /// In the order of the requests; only if texts are kept.
    private(set) var answers: [LoadReport.Answer] = []

    private(set) var completed = 0
    private(set) var cancelled = 0
    private(set) var refused = 0
    private(set) var failed = 0
    /// Kept connections that the server had ended before any byte of an answer.
    private(set) var redials = 0
    /// Of complete answers.
    private(set) var tokens = 0

    mutating func add(_ outcome: LoadOutcome, wantsHops: Bool = false, keepsText: Bool = false) {
        let fate = outcome.fate
        records.append(
            Record(
                index: outcome.index, intendedAt: outcome.intendedAt, sentAt: outcome.sentAt,
                firstAt: outcome.firstAt, lastAt: outcome.lastAt, endedAt: outcome.endedAt, gapsAt: gaps.count,
                gapCount: Int32(fate == .complete ? outcome.gaps.count : 0), tokens: Int32(clamping: outcome.tokens),
                maximumTokens: Int32(clamping: outcome.maximumTokens),
                promptTokens: Int32(clamping: outcome.promptTokens),
                cachedTokens: Int32(clamping: outcome.cachedTokens), fate: fate, hasUsage: outcome.hasUsage))
        ids.append(outcome.id)
        redials += outcome.redials
        if let mismatch = outcome.mismatch { mismatches.append("\(outcome.id): \(mismatch)") }
        switch fate {
        case .complete:
            completed += 1
            tokens += outcome.tokens
            gaps.append(contentsOf: outcome.gaps)
            if wantsHops { hops.add(outcome) }
            if keepsText { keep(outcome) }
        case .cancelled:
            cancelled += 1
        case .refused:
            refused += 1
            errors[outcome.error ?? "busy", default: 0] += 1
        case .failed:
            failed += 1
            errors[outcome.error ?? "no finish reason", default: 0] += 1
        }
    }

    /// What the ledger must say of each request.
    var claims: [LedgerClaim] {
        zip(ids, records).map { LedgerClaim(id: $0, tokens: $1.fate == .complete ? Int($1.tokens) : nil) }
    }

    private mutating func keep(_ outcome: LoadOutcome) {
        let answer = LoadReport.Answer(index: outcome.index, text: outcome.text, finish: outcome.finish ?? "")
        let place = answers.lastIndex { $0.index < outcome.index }.map { $0 + 1 } ?? answers.startIndex
        answers.insert(answer, at: place)
    }
}
