import Line
import OpenAIDoor
import Station
import Telemetry
import Wire

/// One request at ingest, from its admission until the client has its last row.
final class IngestRequest {
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
    /// Text of a request that does not stream, until its end.
    var withheld: [UInt8] = []
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
}

/// The rows that wait for one client of the ZeroMQ door.
final class ClientOutlet {
    let session: SessionRef
    var batch = TextBatch()
    /// Its requests, by its own handles.
    var works: [UInt32: UInt64] = [:]
    /// Whether the outlet is listed for the end of this turn.
    var isDirty = false
    /// False once the session has ended.
    var isOpen = true
    /// Requests whose first token is in the batch: they are stamped when it is sent.
    var firsts: [IngestRequest] = []

    /// Batches that go out before `batch`, each as large as a frame may be.
    private var full: [TextBatch] = []
    private var tray: UInt64 = 0

    init(session: SessionRef) { self.session = session }

    /// Begins another batch if one row more would be too much for a frame.
    func makeRoom(tokens: Int, bytes: Int) {
        guard !batch.hasRoom(tokens: tokens, bytes: bytes) else { return }
        full.append(batch)
        batch = TextBatch()
    }

    /// Encodes what waits as one output after the other; hop records that lack their time of sending get this one.
    /// - Parameter body: Sends a frame with these rows.
    func encode(stampedAt now: UInt64, into frame: inout FrameBuffer, _ body: (inout FrameBuffer, [TextRow]) -> Void) {
        for request in firsts where request.stamps.firstSent == 0 { request.stamps.firstSent = now }
        for index in full.indices { encode(&full[index], stampedAt: now, into: &frame, body) }
        encode(&batch, stampedAt: now, into: &frame, body)
    }

    private func encode(
        _ batch: inout TextBatch, stampedAt now: UInt64, into frame: inout FrameBuffer,
        _ body: (inout FrameBuffer, [TextRow]) -> Void
    ) {
        tray += 1
        batch.tray = tray
        for index in batch.hops.indices where batch.hops[index].sentAt == 0 { batch.hops[index].sentAt = now }
        batch.encode(kind: .output, into: &frame, session: session.session)
        body(&frame, batch.rows)
    }

    func clear() {
        if !full.isEmpty { full = [] }
        batch.rows.removeAll(keepingCapacity: true)
        batch.tokens.removeAll(keepingCapacity: true)
        batch.text.removeAll(keepingCapacity: true)
        batch.hops.removeAll(keepingCapacity: true)
        firsts.removeAll(keepingCapacity: true)
        isDirty = false
    }
}
