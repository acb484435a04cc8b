import Line
import OpenAIDoor
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
    /// False: the client wants one row at the end.
    let streams: Bool
    /// What the prompt takes in memory.
    let promptBytes: Int

    private let firstAttempt: UInt16
    /// How often it was sent down again.
    var redispatches: UInt16 = 0
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
    private var end: RequestEnd?
    var deliveredTokens: UInt32 = 0
    var promptTokens: UInt32 = 0
    var cachedTokens: UInt32 = 0
    var isCancelled = false
    /// Since when it waits for a tokenizer, on the monotonic clock; 0 while one has it.
    var waitingSince: UInt64 = 0
    var stamps = HopStamps()

    init(
        requestID: RequestID, tenant: String, body: RequestBody, client: Client, streams: Bool, firstAttempt: UInt16,
        receivedAt: UInt64
    ) {
        self.requestID = requestID
        self.tenant = tenant
        self.body = body
        self.client = client
        self.streams = streams
        self.firstAttempt = firstAttempt
        promptBytes = body.strings.reduce(body.tokens.count * 4) { $0 + $1.utf8.count }
        stamps.downReceived = receivedAt
    }

    /// The number of this attempt, in the names of its events.
    var attempt: UInt16 { firstAttempt &+ redispatches }

    /// Ends the answer; its last row goes with the next frame.
    func end(_ end: RequestEnd) {
        self.end = end
        // A failure in place of a whole answer brings none of it.
        guard end.finish == .failed, !streams else { return }
        pendingText = []
        sentTokens = generated.count
    }

    /// A frame did not go out: these tokens of it were not delivered.
    func withdraw(_ count: UInt32) { deliveredTokens -= min(deliveredTokens, count) }

    // MARK: Rows

    private static let rowTokens = Int(UInt16.max)
    private static let rowBytes = 4 << 20

    func fits(_ batch: borrowing TextBatch) -> Bool {
        batch.hasRoom(
            tokens: min(generated.count - sentTokens, Self.rowTokens),
            bytes: max(min(pendingText.count, Self.rowBytes), end?.message.utf8.count ?? 0))
    }

    func takeRow(into batch: inout TextBatch, sentAt: UInt64) -> RowOutcome {
        guard case .door(_, let handle) = client else { return .taken }
        let count = min(generated.count - sentTokens, Self.rowTokens)
        let text = Self.wholeCharacters(of: pendingText, atMost: Self.rowBytes)
        let isAll = count == generated.count - sentTokens && text.count == pendingText.count
        // The message of a failure stands alone.
        let isAlone = count == 0 && text.isEmpty
        let last = isAll && (isAlone || end?.finish != .failed) ? end : nil
        let message = last?.finish == .failed ? Array((last?.message ?? "").utf8) : []
        let isEdge = last != nil || sentTokens == 0
        batch.rows.append(
            TextRow(
                handle: handle, tokenCount: UInt16(count), finish: last?.finish ?? .none, status: last?.status ?? .ok,
                position: UInt32(clamping: sentTokens), textLength: UInt32(text.count + message.count),
                promptTokens: isEdge ? promptTokens : 0, cachedTokens: isEdge ? cachedTokens : 0))
        batch.tokens += generated[sentTokens..<sentTokens + count]
        batch.text += text
        batch.text += message
        sentTokens += count
        if isAll {
            pendingText.removeAll(keepingCapacity: true)
        } else {
            pendingText.removeFirst(text.count)
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

    private static func wholeCharacters(of text: [UInt8], atMost limit: Int) -> ArraySlice<UInt8> {
        guard text.count > limit else { return text[...] }
        var end = limit
        for _ in 0..<3 where text[end] & 0xc0 == 0x80 { end -= 1 }
        return text[..<end]
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

/// One client of the ZeroMQ door.
final class ClientOutlet {
    let tray: RowTray<IngestRequest>
    let session: SessionRef
    /// Its requests, by its own handles.
    var works: [UInt32: UInt64] = [:]
    /// Requests that were not admitted: they have no work, only an answer.
    var refusals: [Refusal] = []
    /// Whether the outlet is listed for the end of this turn.
    var isDirty = false
    /// Frames sent.
    private var trays: UInt64 = 0

    struct Refusal {
        var handle: UInt32
        var status: Status
        var message: String
    }

    init(session: SessionRef) {
        self.session = session
        tray = RowTray(link: 0, session: session.session)
    }

    /// Puts what waits into the batch, as the next output; false when nothing waits.
    func fill(_ batch: inout TextBatch, sentAt: UInt64) -> Bool {
        guard !tray.isEmpty || !refusals.isEmpty else { return false }
        tray.fill(&batch, sentAt: sentAt)
        var taken = 0
        for refusal in refusals {
            guard batch.hasRoom(tokens: 0, bytes: refusal.message.utf8.count) else { break }
            batch.rows.append(
                TextRow(
                    handle: refusal.handle, tokenCount: 0, finish: .failed, status: refusal.status, position: 0,
                    textLength: UInt32(refusal.message.utf8.count)))
            batch.text += Array(refusal.message.utf8)
            taken += 1
        }
        refusals.removeFirst(taken)
        trays += 1
        batch.tray = trays
        return true
    }
}
