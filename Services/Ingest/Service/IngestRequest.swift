import Keys
import Line
import OpenAIDoor
import Spool
import Station
import Telemetry
import Wire

/// One request at ingest, from its admission until the client has its last row.
final class IngestRequest: RowSource {
    /// Who gets the answer.
    enum Client {
        /// The ZeroMQ door: this client's handle on this outlet.
        case door(ClientOutlet, handle: UInt32)
        /// The HTTP door.
        case http(DoorStream)
    }

    let requestID: RequestID
    let tenant: String
    let body: RequestBody
    let client: Client
    /// What its API key is good for; nil on doors without keys.
    let grant: KeyRing.Grant?
    /// What the client calls it; the ledger keeps it.
    let label: String
    /// False: the client wants one row at the end.
    let streams: Bool
    /// What the prompt takes in memory.
    let promptBytes: Int

    private let firstAttempt: UInt16
    /// How often it was sent down again.
    var redispatches: UInt16 = 0 {
        didSet { place?.note(attempt: attempt) }
    }
    /// Where it stands beside the spool, from its admission on.
    var place: OpenRequest?
    /// Ids of the answer so far, those of lost attempts included.
    var generated: [UInt32] = []
    /// Of `generated`, how many came in this attempt.
    var receivedInAttempt: UInt32 = 0
    /// Bytes of text that were made so far: where another tokenizer has to go on.
    var textBytes: UInt64 = 0
    /// Text that stands in no frame yet: all of it until the end, for a client that wants one row.
    var pendingText: [UInt8] = []
    /// Of `generated`, how many stand in a frame.
    private(set) var sentTokens = 0
    /// The key under which the line knows it; 0 before it is admitted.
    var work: UInt64 = 0
    var isListed = false
    private(set) var end: RequestEnd?
    /// Tokens that stand in frames which went out, or that the client's socket took.
    var deliveredTokens: UInt32 = 0 {
        didSet { place?.note(deliveredTokens: deliveredTokens) }
    }
    /// When the client's time is over, on the monotonic clock; 0 for never.
    let deadline: UInt64
    /// What it takes in memory, at most.
    var heldBytes: Int
    var promptTokens: UInt32 = 0
    var cachedTokens: UInt32 = 0
    var isCancelled = false
    /// Since when it waits for a tokenizer, on the monotonic clock; 0 while one has it.
    var waitingSince: UInt64 = 0
    var stamps = HopStamps()

    init(
        requestID: RequestID, tenant: String, body: RequestBody, client: Client, streams: Bool, firstAttempt: UInt16,
        receivedAt: UInt64, label: String = "", grant: KeyRing.Grant? = nil
    ) {
        self.requestID = requestID
        self.tenant = tenant
        self.body = body
        self.client = client
        self.streams = streams
        self.label = label
        self.grant = grant
        self.firstAttempt = firstAttempt
        promptBytes = body.strings.reduce(body.tokens.count * 4) { $0 + $1.utf8.count }
        heldBytes = Self.ownBytes + promptBytes + Self.held(body, label: label)
        let (sum, isOver) = receivedAt.addingReportingOverflow(body.options.timeLeft)
        deadline = body.options.timeLeft == 0 || isOver ? 0 : sum
        stamps.downReceived = receivedAt
    }

    /// What a request takes besides what its client sent.
    private static let ownBytes = 1024

    /// What stands in a request besides the bytes of its prompt. A text takes memory of its own, however short it is.
    static func held(_ body: RequestBody, label: String) -> Int {
        let texts = body.stops + [body.template.arguments, body.options.cacheSalt, body.model, label]
        return texts.reduce(textBytes * (body.strings.count + texts.count)) { $0 + $1.utf8.count }
            + 4 * body.options.stopTokens.count + 8 * body.options.logitBias.count
    }

    private static let textBytes = 48

    /// The number of this attempt, in the names of its events.
    var attempt: UInt16 { firstAttempt &+ redispatches }

    /// Tokens of the prompt as far as its size tells.
    var estimatedPromptTokens: Int { body.form == .tokens ? body.tokens.count : promptBytes / 4 }

    /// Whose turn it takes where requests wait.
    var share: TenantShare {
        let answer = body.limits.maximumTokens == 0 ? Self.unboundedAnswer : Int(body.limits.maximumTokens)
        return TenantShare(
            tenant: tenant, weight: Double(grant?.weight ?? 1), cost: estimatedPromptTokens + answer,
            priority: body.options.priority, waitingLimit: grant?.waiting.map { Int($0) } ?? .max)
    }

    /// Tokens that an answer without a bound is taken to have.
    private static let unboundedAnswer = 512

    /// Whether all of the answer is there: what is left is that the client takes it.
    var isEnding: Bool { end != nil }

    /// Ends the answer; its last row goes once the client's window lets it.
    func end(_ end: RequestEnd) {
        self.end = end
        // A failure in place of a whole answer brings none of it.
        guard end.finish == .failed, !streams else { return }
        pendingText = []
        sentTokens = generated.count
    }

    /// A frame did not go out: these tokens of it were not delivered.
    func withdraw(_ count: UInt32) { deliveredTokens -= min(deliveredTokens, count) }

    /// Whether what a tokenizer says of the request can be true: no more tokens than were asked for, a prompt of as many
    /// tokens as its text can have, no more of it cached than there is. What it says of the prompt is billed.
    func allows(_ row: TextRow) -> Bool {
        let limit = Int(body.limits.maximumTokens)
        guard limit == 0 || generated.count + Int(row.tokenCount) <= limit else { return false }
        guard row.cachedTokens <= max(row.promptTokens, promptTokens) else { return false }
        guard row.promptTokens > 0 else { return true }
        if promptTokens > 0, row.promptTokens != promptTokens { return false }
        if body.form == .tokens { return Int(row.promptTokens) == body.tokens.count }
        // Every token stands for a byte at least; the template adds a text of its own around each message.
        return Int(row.promptTokens) <= promptBytes + Self.templateTokens + Self.messageTokens * body.strings.count
    }

    private static let templateTokens = 65_536
    private static let messageTokens = 64

    // MARK: Rows

    // Small against a client's window, so that the window is used.
    private static let rowTokens = 8192
    private static let rowBytes = 32 << 10

    func fits(_ batch: borrowing TextBatch) -> Bool {
        guard case .door(let outlet, _) = client else { return false }
        let tokens = min(generated.count - sentTokens, Self.rowTokens)
        let bytes = max(min(pendingText.count, Self.rowBytes), end?.message.utf8.count ?? 0)
        return batch.hasRoom(tokens: tokens, bytes: bytes)
            && outlet.hasRoom(
                batch, tokens: tokens, bytes: bytes, hops: body.wantsHops ? (end?.hops.count ?? 0) + 3 : 0)
    }

    func takeRow(into batch: inout TextBatch, sentAt: UInt64) -> RowOutcome {
        guard case .door(_, let handle) = client else { return .taken }
        let count = min(generated.count - sentTokens, Self.rowTokens)
        // A number, not the bytes: a slice that lives on would make the text's memory be made anew for each row.
        let bytes = Self.wholeCharacters(of: pendingText, atMost: Self.rowBytes)
        let isAll = count == generated.count - sentTokens && bytes == pendingText.count
        // The message of a failure stands alone.
        let isAlone = count == 0 && bytes == 0
        let last = isAll && (isAlone || end?.finish != .failed) ? end : nil
        let message = last?.finish == .failed ? Array((last?.message ?? "").utf8) : []
        let isEdge = last != nil || sentTokens == 0
        batch.rows.append(
            TextRow(
                handle: handle, tokenCount: UInt16(count), finish: last?.finish ?? .none, status: last?.status ?? .ok,
                position: UInt32(clamping: sentTokens), textLength: UInt32(bytes + message.count),
                promptTokens: isEdge ? promptTokens : 0, cachedTokens: isEdge ? cachedTokens : 0))
        batch.tokens += generated[sentTokens..<sentTokens + count]
        batch.text += pendingText[..<bytes]
        batch.text += message
        sentTokens += count
        deliveredTokens += UInt32(clamping: count)
        if isAll {
            pendingText.removeAll(keepingCapacity: true)
        } else {
            pendingText.removeFirst(bytes)
        }
        if count > 0, stamps.firstSent == 0 { stamps.firstSent = sentAt }
        guard let last else { return isAll && end == nil ? .taken : .more }
        if body.wantsHops, !last.hops.isEmpty {
            for hop in last.hops {
                var own = hop
                own.handle = handle
                batch.hops.append(own)
            }
            batch.hops += stamps.records(
                handle: handle, station: .ingest, lastReceived: last.receivedAt, lastBegun: last.receivedAt,
                lastSent: sentAt)
        }
        return .ended
    }

    /// Bytes of so many whole characters.
    private static func wholeCharacters(of text: borrowing [UInt8], atMost limit: Int) -> Int {
        guard text.count > limit else { return text.count }
        var end = limit
        for _ in 0..<3 where text[end] & 0xc0 == 0x80 { end -= 1 }
        return end
    }
}

/// How a request ends.
struct RequestEnd {
    var finish: FinishReason
    var status: Status = .ok
    /// Why it failed, for the client.
    var message = ""
    /// Those of the stations below, on our clock.
    var hops: [HopRecord] = []
    var receivedAt: UInt64
}
