import Telemetry
public import Wire

/// The figures of a run.
///
/// As vLLM and AIPerf define them: TTFT from a request's begin to its first token; TPOT, of each answer with more than
/// one token, from its first to its last token divided by their number less one; ITL between deliveries of tokens (a
/// delivery can bring several that were ready together). A request begins when it should have been sent, so that a
/// service that stalls an open loop cannot hide it (coordinated omission); in a closed loop that is when it was sent.
///
/// With a warm-up, times are of requests that begin in the steady window, and rates count what ends in it; without,
/// the window is the whole run. Counts are always of the whole run.
public struct LoadReport: Sendable {
    public let settings: LoadSettings
    public let model: String
    public let startedAt: UInt64
    /// When the last request ended.
    public let endedAt: UInt64
    /// What times and rates are of, monotonic nanoseconds.
    public let window: Range<UInt64>
    let log: RequestLog

    public let sent: Int
    /// Complete answers with fewer tokens than asked for, although they were to go on past their end.
    public private(set) var short = 0
    public private(set) var promptTokens = 0
    public private(set) var cachedTokens = 0
    /// Complete answers whose tokens the service did not count: each delivery counts as one.
    public private(set) var uncounted = 0

    public private(set) var ttft = Distribution()
    public private(set) var itl = Distribution()
    public private(set) var tpot = Distribution()
    public private(set) var latency = Distribution()
    /// From the actual send; differs from `ttft` in an open loop only.
    public private(set) var serviceTTFT = Distribution()
    /// From the actual send; differs from `latency` in an open loop only.
    public private(set) var serviceLatency = Distribution()
    /// From when a request should have been sent to when it was.
    public private(set) var sendLag = Distribution()

    /// Requests that began in the window; of these, the ones that count for goodput and the ones that met all
    /// objectives.
    public private(set) var begun = 0
    public private(set) var judged = 0
    public private(set) var good = 0
    /// What ended in the window, complete.
    public private(set) var windowCompleted = 0
    public private(set) var windowTokens = 0
    public private(set) var windowPromptTokens = 0
    public private(set) var windowGood = 0
    /// Deliveries of complete answers over their tokens, in the window: 1 where each token came alone.
    public private(set) var windowDeliveries = 0

    /// Processor seconds that this process used, all threads.
    public let processSeconds: Double

    public struct Answer: Sendable {
        public var index: Int
        public var text: String
        public var finish: String
    }

    init(
        settings: LoadSettings, model: String, log: RequestLog, sent: Int? = nil, startedAt: UInt64,
        steadyFrom: UInt64? = nil, steadyTo: UInt64? = nil, processSeconds: Double = 0
    ) {
        self.settings = settings
        self.model = model
        self.log = log
        self.sent = sent ?? log.records.count
        self.startedAt = startedAt
        self.processSeconds = processSeconds
        endedAt = log.records.reduce(startedAt) { max($0, $1.endedAt) }
        if let warmup = settings.warmup {
            let from = max(steadyFrom ?? startedAt, startedAt + UInt64(warmup * 1e9))
            window = from..<max(from, steadyTo ?? endedAt)
        } else {
            window = startedAt..<endedAt
        }
        for record in log.records { add(record) }
    }

    private mutating func add(_ record: RequestLog.Record) {
        let isWhole = settings.warmup == nil
        if isWhole || window.contains(record.intendedAt) { addBegun(record) }
        guard record.fate == .complete else { return }
        promptTokens += Int(record.promptTokens)
        cachedTokens += Int(record.cachedTokens)
        if settings.ignoresEndOfSequence, record.tokens < record.maximumTokens { short += 1 }
        if !record.hasUsage { uncounted += 1 }
        guard isWhole || (window.lowerBound...window.upperBound).contains(record.endedAt) else { return }
        windowCompleted += 1
        windowTokens += Int(record.tokens)
        windowPromptTokens += Int(record.promptTokens)
        if record.firstAt > 0 { windowDeliveries += Int(record.gapCount) + 1 }
        if isGood(record) { windowGood += 1 }
    }

    private mutating func addBegun(_ record: RequestLog.Record) {
        begun += 1
        if record.sentAt >= record.intendedAt { sendLag.record(record.sentAt - record.intendedAt) }
        if record.fate != .cancelled { judged += 1 }
        guard record.fate == .complete else { return }
        if isGood(record) { good += 1 }
        latency.record(record.endedAt &- record.intendedAt)
        serviceLatency.record(record.endedAt &- record.sentAt)
        if record.firstAt > 0 {
            ttft.record(record.firstAt &- record.intendedAt)
            serviceTTFT.record(record.firstAt &- record.sentAt)
        }
        if let nanoseconds = record.tpot { tpot.record(nanoseconds) }
        for gap in log.gaps[record.gapsAt..<(record.gapsAt + Int(record.gapCount))] {
            itl.record(UInt64(gap * 1e6))
        }
    }

    private func isGood(_ record: RequestLog.Record) -> Bool {
        guard record.fate == .complete else { return false }
        return settings.objectives(of: record.index).isMet(
            ttft: record.firstAt > 0 ? Double(record.firstAt &- record.intendedAt) / 1e6 : nil,
            tpot: record.tpot.map { Double($0) / 1e6 }, latency: Double(record.endedAt &- record.intendedAt) / 1e6)
    }

    // MARK: Counts of the whole run

    public var ended: Int { log.records.count }
    /// Answers that came whole.
    public var completed: Int { log.completed }
    public var cancelled: Int { log.cancelled }
    /// Turned away since the service was full.
    public var refused: Int { log.refused }
    public var failed: Int { log.failed }
    /// Kept connections that the server had ended before any byte of an answer; the request went out on another.
    public var redials: Int { log.redials }
    /// Of complete answers.
    public var tokens: Int { log.tokens }
    /// How often each error occurred, refusals included.
    public var errors: [String: Int] { log.errors }
    /// Requests whose token counts contradict each other, and why.
    public var mismatches: [String] { log.mismatches }
    public var hops: HopTable { log.hops }
    /// What the ledger must say of each request.
    public var claims: [LedgerClaim] { log.claims }
    /// In the order of the requests; only if the settings keep texts.
    public var answers: [Answer] { log.answers }

    /// Requests that were sent, not cancelled, and did not come to their end.
    public var missing: Int { sent - completed - cancelled }

    /// Whether every answer came, whole, as long as it had to be, and with counts that agree.
    public var isFlawless: Bool { missing == 0 && short == 0 && mismatches.isEmpty }

    // MARK: Rates in the window

    /// Seconds from the beginning to the end of the last answer.
    public var duration: Double { Double(endedAt - startedAt) / 1e9 }
    /// Seconds of the window.
    public var windowSeconds: Double { Double(window.upperBound - window.lowerBound) / 1e9 }

    /// Per second of the window.
    public func rate(_ count: Int) -> Double { windowSeconds > 0 ? Double(count) / windowSeconds : 0 }

    /// Requests a second that were due.
    public var offeredRate: Double { rate(begun) }
    /// Complete answers a second.
    public var requestThroughput: Double { rate(windowCompleted) }
    /// Answer tokens a second.
    public var outputThroughput: Double { rate(windowTokens) }
    /// Complete answers a second in the window moved on by the median latency: the answers to the requests that began in
    /// it, where the service keeps up. Of a short window the plain rate depends on how many requests happen to be under
    /// way at its ends.
    public var keptRate: Double {
        let shift = UInt64((latency.percentile(50) ?? 0) * 1e6)
        let range = (window.lowerBound + shift)...(window.upperBound + shift)
        return rate(log.records.count { $0.fate == .complete && range.contains($0.endedAt) })
    }
    /// Prompt and answer tokens a second.
    public var totalThroughput: Double { rate(windowTokens + windowPromptTokens) }
    /// Answers a second that met all objectives; nil without objectives.
    public var goodput: Double? { settings.hasObjectives ? rate(windowGood) : nil }
    /// Of the requests that began in the window and were not cancelled, the share that met all objectives.
    public var goodShare: Double? {
        settings.hasObjectives && judged > 0 ? Double(good) / Double(judged) : nil
    }

    /// Whether this process, not the service, may have set the pace; nil: no sign of it.
    public var generatorLimit: String? {
        let cores = duration > 0 ? processSeconds / duration : 0
        if cores > 0.9 { return "the generator used \(Figure.short(cores)) processor cores" }
        guard case .open = settings.arrival, let lag = sendLag.percentile(99) else { return nil }
        // A lag that is small against the latency changes no figure.
        let allowed = max(1, 0.05 * (latency.percentile(50) ?? 0))
        return lag > allowed ? "the generator's send lag was \(Figure.short(lag)) ms at p99" : nil
    }
}

extension RequestLog.Record {
    /// Nanoseconds for each token after the first; nil for an answer of fewer than two.
    var tpot: UInt64? {
        firstAt > 0 && tokens > 1 ? (lastAt &- firstAt) / UInt64(tokens - 1) : nil
    }
}

/// What the client knows of a request, to be compared with the ledger.
public struct LedgerClaim: Equatable, Sendable {
    public var id: RequestID
    /// Tokens of the complete answer; nil if it did not come to its end.
    public var tokens: Int?
}
