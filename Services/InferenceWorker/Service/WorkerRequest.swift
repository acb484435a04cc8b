import Batching
import Line
import Telemetry
import Wire

/// What the worker keeps of a request besides what the scheduler does.
final class WorkerRequest: RowSource {
    // What each step touches stands first, together.

    /// Where its rows go.
    let tray: RowTray<WorkerRequest>
    /// The line's key, and the engine's.
    let work: UInt64
    /// How the tokenizer names it.
    let handle: UInt32
    private(set) var produced: UInt32 = 0
    /// Tokens that stand in no tray yet, and the index of the first.
    private var pending = PendingTokens()
    private var position: UInt32 = 0
    /// Whether it is listed in its tray.
    var isListed = false
    private var hasRow = false
    private var hasEnded = false

    let requestID: RequestID
    let ingestAttempt: UInt16
    let tokenizerAttempt: UInt16
    let tenant: String
    let model: String
    let promptTokens: UInt32
    private(set) var cachedTokens: UInt32 = 0
    /// Tokens made when the cancel arrived; nil without one.
    var producedAtCancel: UInt32?
    private let wantsHops: Bool
    private var stamps = HopStamps()
    private let digest: UInt64
    private var end: (finish: FinishReason, status: Status, receivedAt: UInt64, begunAt: UInt64) = (.none, .ok, 0, 0)

    init(_ generate: Generate, work: UInt64, tray: RowTray<WorkerRequest>, receivedAt: UInt64) {
        self.work = work
        self.tray = tray
        handle = generate.handle
        requestID = generate.requestID
        ingestAttempt = generate.ingestAttempt
        tokenizerAttempt = generate.tokenizerAttempt
        // Of the tokens that were read here, not the one that came with them: that is what it is to prove.
        digest = TokenDigest.of(generate.tokens)
        tenant = generate.tenant
        model = generate.model
        promptTokens = UInt32(clamping: generate.tokens.count - Int(generate.generatedCount))
        wantsHops = generate.wantsHops
        stamps.downReceived = receivedAt
    }

    func append(_ token: UInt32, at index: UInt32) {
        if pending.isEmpty { position = index }
        pending.append(token)
        produced += 1
    }

    /// Notes what the first row tells.
    /// - Parameters:
    ///   - receivedAt: When the step ended that made the row.
    ///   - begunAt: When its report was taken up.
    func begin(_ details: RowDetails, hasToken: Bool, receivedAt: UInt64, begunAt: UInt64) {
        cachedTokens = details.cachedTokens
        stamps.downBegun = details.begunAt == 0 ? begunAt : details.begunAt
        stamps.downSent = stamps.downBegun
        guard hasToken else { return }
        stamps.firstReceived = receivedAt
        stamps.firstBegun = begunAt
    }

    /// - Parameters:
    ///   - index: Tokens of the whole answer.
    ///   - receivedAt: When the step ended that ended the request.
    ///   - begunAt: When its report was taken up.
    func end(_ finish: FinishReason, _ status: Status, at index: UInt32, receivedAt: UInt64, begunAt: UInt64) {
        if pending.isEmpty { position = index }
        end = (finish, status, receivedAt, begunAt)
        hasEnded = true
    }

    func fits(_ batch: borrowing TokenBatch) -> Bool { batch.hasRoom(tokens: min(pending.count, Self.rowTokens)) }

    private static let rowTokens = Int(UInt16.max)

    func takeRow(into batch: inout TokenBatch, sentAt: UInt64) -> RowOutcome {
        let count = min(pending.count, Self.rowTokens)
        let isAll = count == pending.count
        let isLast = isAll && hasEnded
        batch.rows.append(
            TokenRow(
                handle: handle, tokenCount: UInt16(count), finish: isLast ? end.finish : .none,
                status: isLast ? end.status : .ok, position: position,
                cachedTokens: hasRow ? 0 : cachedTokens, digest: hasRow ? 0 : digest))
        if !hasRow, count > 0 { stamps.firstSent = sentAt }
        hasRow = true
        pending.take(count, into: &batch.tokens)
        guard isAll else {
            position += UInt32(count)
            return .more
        }
        guard isLast else { return .taken }
        if wantsHops {
            batch.hops += stamps.records(
                handle: handle, station: .inferenceWorker, lastReceived: end.receivedAt, lastBegun: end.begunAt,
                lastSent: sentAt)
        }
        return .ended
    }
}

extension EngineRequest {
    /// - Parameter receivedAt: on the monotonic clock, from which the time that is left counts.
    init(id: UInt64, _ generate: Generate, receivedAt: UInt64) {
        let (deadline, isNever) = receivedAt.addingReportingOverflow(generate.options.timeLeft)
        self.init(
            id: id, tokens: generate.tokens, generatedCount: Int(generate.generatedCount),
            sampling: SamplingSettings(generate.sampling),
            limits: TokenLimits(
                maximumTokens: Int(generate.limits.maximumTokens), minimumTokens: Int(generate.limits.minimumTokens),
                ignoresEndOfGeneration: generate.limits.ignoreEndOfSequence),
            rules: TokenRules(
                stops: generate.options.stopTokens,
                biases: generate.options.logitBias.map { TokenBias(token: $0.token, bias: $0.bias) }),
            tenant: generate.tenant, priority: generate.options.priority,
            deadline: generate.options.timeLeft == 0 || isNever ? nil : deadline,
            owner: CacheOwner(tenant: generate.tenant, salt: generate.options.cacheSalt))
    }
}

extension SamplingSettings {
    init(_ wire: SamplingParameters) {
        self.init(
            seed: wire.seed, temperature: wire.temperature, topP: wire.topP, minP: wire.minP, topK: wire.topK,
            repetitionPenalty: wire.repetitionPenalty, presencePenalty: wire.presencePenalty,
            frequencyPenalty: wire.frequencyPenalty)
    }
}

extension GenerationEnd {
    /// How a row tells it.
    var wire: (finish: FinishReason, status: Status) {
        switch self {
        case .endOfGeneration: (.stop, .ok)
        case .length: (.length, .ok)
        case .cancelled: (.cancelled, .ok)
        case .handedBack: (.handedBack, .draining)
        case .failed(let failure):
            switch failure {
            case .emptyPrompt, .unknownToken: (.failed, .invalidRequest)
            case .promptTooLong: (.failed, .promptTooLong)
            case .engine: (.failed, .engineFailed)
            case .deadlineExceeded: (.failed, .deadlineExceeded)
            }
        }
    }
}
