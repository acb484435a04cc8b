import Line
import Telemetry
import Tokenization
import Wire

/// One request in the tokenizer, from its `Encode` until both sides have let go of it.
final class AnswerStream: RowSource {
    enum State: Sendable {
        /// Its prompt is encoded, or its answer so far is read.
        case encoding
        /// Waiting for a worker, or held by one.
        case generating
        /// Ingest has its last row, or is gone: only the worker's lease is still to end.
        case answered
    }

    /// The key under which the line above knows it.
    let work: UInt64
    /// How ingest names it.
    let handle: UInt32
    /// Where its rows go.
    let tray: RowTray<AnswerStream>
    var isListed = false
    let requestID: RequestID
    let ingestAttempt: UInt16
    let tenant: String
    let model: String
    let sampling: SamplingParameters
    var limits: GenerationLimits
    let stops: [String]
    let options: GenerationOptions
    let wantsHops: Bool
    let deliveredBytes: UInt64
    /// When nobody wants the answer any more, on our monotonic clock; `UInt64.max`: never.
    let deadline: UInt64

    var state: State
    var prompt: [UInt32] = []
    /// All ids of the answer, those of lost attempts included.
    var generated: [UInt32]
    var answer: AnswerAssembler
    var attempt: UInt16 = 0
    /// Of `generated`, how many came in this attempt.
    var receivedInAttempt: UInt32 = 0
    var digest: UInt64 = 0
    var hasFirstRow = false
    var cachedTokens: UInt32 = 0
    var isCancelled = false
    var stamps = HopStamps()

    /// Of `generated`, how many stand in a frame.
    private var sentTokens: Int
    /// Text that stands in no frame yet.
    var pendingText: [UInt8] = []
    /// How the answer ends, once that is known.
    private var end: AnswerEnd?

    init(_ encode: Encode, work: UInt64, tray: RowTray<AnswerStream>, model: String, receivedAt: UInt64) {
        self.work = work
        self.tray = tray
        handle = encode.handle
        requestID = encode.requestID
        ingestAttempt = encode.ingestAttempt
        tenant = encode.tenant
        self.model = model
        sampling = encode.body.sampling
        limits = encode.body.limits
        stops = encode.body.stops
        options = encode.body.options
        wantsHops = encode.body.wantsHops
        deliveredBytes = encode.deliveredBytes
        let (deadline, isNever) = receivedAt.addingReportingOverflow(encode.body.options.timeLeft)
        self.deadline = encode.body.options.timeLeft == 0 || isNever ? .max : deadline
        generated = encode.generated
        sentTokens = encode.generated.count
        state = .encoding
        answer = AnswerAssembler(
            stops: encode.body.stops, stopTokens: encode.body.options.stopTokens,
            minimumTokens: Int(encode.body.limits.minimumTokens))
        stamps.downReceived = receivedAt
    }

    var isAnswered: Bool { if case .answered = state { true } else { false } }

    /// Ends the answer upward; what was made before goes with it.
    func end(_ end: AnswerEnd) {
        state = .answered
        self.end = end
    }

    /// Tokens that are still to be made.
    var remaining: Int { Int(limits.maximumTokens) - generated.count }

    /// For prompts long enough that a cached prefix is worth a detour.
    var affinity: UInt64? { PromptAffinity.of(prompt, tenant: tenant, salt: options.cacheSalt) }

    /// Whose turn it takes in the pool.
    var encodeShare: EncodeShare {
        EncodeShare(
            tenant: tenant, weight: options.weight == 0 ? 1 : Double(options.weight) / 1000, priority: options.priority)
    }

    // MARK: Rows

    private static let rowTokens = Int(UInt16.max)

    func fits(_ batch: borrowing TextBatch) -> Bool {
        batch.hasRoom(
            tokens: min(generated.count - sentTokens, Self.rowTokens),
            bytes: max(pendingText.count, end?.message.utf8.count ?? 0))
    }

    func takeRow(into batch: inout TextBatch, sentAt: UInt64) -> RowOutcome {
        let count = min(generated.count - sentTokens, Self.rowTokens)
        let isAll = count == generated.count - sentTokens
        // A last row that carries nothing of the answer goes after one that does.
        let isAlone = count == 0 && pendingText.isEmpty
        let last = isAll && (isAlone || end?.carriesAnswer == true) ? end : nil
        let text = last?.carriesAnswer == false ? Array((last?.message ?? "").utf8) : isAll ? pendingText : []
        let isEdge = last != nil || sentTokens == 0
        batch.rows.append(
            TextRow(
                handle: handle, tokenCount: UInt16(count), finish: last?.finish ?? .none, status: last?.status ?? .ok,
                position: UInt32(clamping: sentTokens), textLength: UInt32(text.count),
                promptTokens: isEdge ? UInt32(prompt.count) : 0, cachedTokens: isEdge ? cachedTokens : 0))
        batch.tokens += generated[sentTokens..<sentTokens + count]
        batch.text += text
        sentTokens += count
        if isAll { pendingText.removeAll(keepingCapacity: true) }
        if count > 0, stamps.firstSent == 0 { stamps.firstSent = sentAt }
        guard let last else { return isAll && end == nil ? .taken : .more }
        if wantsHops, last.carriesAnswer {
            batch.hops += last.hops
            batch.hops += stamps.records(
                handle: handle, station: .tokenizer, lastReceived: last.receivedAt, lastBegun: last.receivedAt,
                lastSent: sentAt)
        }
        return .ended
    }
}

/// How an answer ends.
struct AnswerEnd {
    var finish: FinishReason
    var status: Status = .ok
    /// Why it failed, for the client.
    var message = ""
    /// Those of the stations below, on our clock.
    var hops: [HopRecord] = []
    var receivedAt: UInt64

    /// Whether the last row has tokens and text: failures and what is handed back do not.
    var carriesAnswer: Bool { finish != .failed && finish != .handedBack }
}
