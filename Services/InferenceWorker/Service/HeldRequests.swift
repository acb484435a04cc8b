import Batching
import Line
import Tables
import Telemetry
import Wire

/// The requests that a worker holds, from the frame that brought them to the row that ends them.
struct HeldRequests: ~Copyable {
    /// How a request has ended.
    struct End {
        /// What the ledger hears of it; nil where it was handed back unbegun.
        var attempt: LedgerEvent?
        /// Whether its last row has somebody to go to.
        var isTold: Bool
    }

    private let worker: String
    private let epoch: UInt64
    private var requests = KeyedSlots<WorkerRequest>()
    private var counters = WorkerCounters()

    init(worker: String, epoch: UInt64) {
        self.worker = worker
        self.epoch = epoch
    }

    func holds(_ work: UInt64) -> Bool { requests[work] != nil }

    mutating func hold(_ request: WorkerRequest) {
        requests[request.work] = request
        counters.requests += 1
        counters.promptTokens += UInt64(request.promptTokens)
    }

    /// Notes that a request is cancelled.
    /// - Returns: Whether the engine is to be told.
    mutating func cancel(_ work: UInt64) -> Bool {
        guard let request = requests[work], request.producedAtCancel == nil else { return false }
        request.producedAtCancel = request.produced
        counters.cancelled += 1
        return true
    }

    /// The engine has made a step.
    mutating func stepped() { counters.steps += 1 }

    /// Takes a row of a step to its request, which is listed in its tray.
    /// - Returns: How it has ended; nil while it goes on, or is not known.
    mutating func take(_ row: EngineRow, endedAt: LinkTime, now: LinkTime) -> End? {
        guard let request = requests[row.id] else { return nil }
        if let token = row.token {
            request.append(token, at: row.index)
            counters.tokens += 1
        }
        defer { request.tray.list(request) }
        return row.details == nil ? nil : takeDetails(of: row, request, endedAt: endedAt, now: now)
    }

    /// Takes what only a request's first and last rows tell.
    private mutating func takeDetails(
        of row: EngineRow, _ request: WorkerRequest, endedAt: LinkTime, now: LinkTime
    ) -> End? {
        guard let details = row.details else { return nil }
        if details.isFirst {
            counters.cachedTokens += UInt64(details.cachedTokens)
            request.begin(details, hasToken: row.token != nil, receivedAt: endedAt, begunAt: now)
        }
        guard let end = details.end?.wire else { return nil }
        request.end(end.finish, end.status, at: row.index, receivedAt: endedAt, begunAt: now)
        requests[row.id] = nil
        return End(
            attempt: end.finish == .none ? nil : attempt(of: request, details.usage, end),
            isTold: request.tray.isOpen)
    }

    private mutating func attempt(
        of request: WorkerRequest, _ usage: AttemptUsage, _ end: (finish: FinishReason, status: Status)
    ) -> LedgerEvent {
        let afterCancel = request.producedAtCancel.map { usage.produced - min($0, usage.produced) } ?? 0
        counters.tokensAfterCancel += UInt64(afterCancel)
        if end.finish == .failed { counters.failures += 1 }
        return LedgerEvent(
            kind: .attempt, requestID: request.requestID, ingestAttempt: request.ingestAttempt,
            tokenizerAttempt: request.tokenizerAttempt, producerRole: .inferenceWorker, producer: epoch,
            outcome: end.finish, status: end.status, promptTokens: request.promptTokens,
            cachedTokens: request.cachedTokens, producedTokens: usage.produced,
            tokensAfterCancel: afterCancel,
            microjoules: usage.microjoules.map { Int64(clamping: $0) } ?? -1,
            energySource: usage.microjoules == nil ? 0 : usage.energySource?.rawValue ?? 0,
            wallTime: 0, tenant: request.tenant, model: request.model, worker: worker)
    }

    func report(to mirror: MetricMirror) {
        mirror.gauge("requests_held", Double(requests.count), help: "Requests held now.")
        mirror.count("requests", counters.requests, help: "Requests taken.")
        mirror.count("steps", counters.steps, help: "Steps of the engine.")
        mirror.count("tokens", counters.tokens, help: "Tokens made.")
        mirror.count("prompt_tokens", counters.promptTokens, help: "Tokens of prompts.")
        mirror.count("cached_tokens", counters.cachedTokens, help: "Tokens of prompts from the prefix cache.")
        mirror.count("cancelled", counters.cancelled, help: "Requests cancelled.")
        mirror.count("tokens_after_cancel", counters.tokensAfterCancel, help: "Tokens made after their cancel came.")
        mirror.count("failures", counters.failures, help: "Requests failed.")
    }
}
