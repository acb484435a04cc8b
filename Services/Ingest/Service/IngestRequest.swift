import Line
import OpenAIDoor
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

    var attempt: UInt16 = 0
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
    var stamps = HopStamps()

    init(
        requestID: RequestID, tenant: String, body: RequestBody, client: Client, streams: Bool, receivedAt: UInt64
    ) {
        self.requestID = requestID
        self.tenant = tenant
        self.body = body
        self.client = client
        self.streams = streams
        stamps.downReceived = receivedAt
    }
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

    init(session: SessionRef) { self.session = session }

    /// Encodes what waits as the next output; hop records that lack their time of sending get this one.
    func encode(stampedAt now: UInt64, into frame: inout FrameBuffer) {
        batch.tray += 1
        for request in firsts where request.stamps.firstSent == 0 { request.stamps.firstSent = now }
        for index in batch.hops.indices where batch.hops[index].sentAt == 0 { batch.hops[index].sentAt = now }
        batch.encode(kind: .output, into: &frame, session: session.session)
    }

    func clear() {
        batch.rows.removeAll(keepingCapacity: true)
        batch.tokens.removeAll(keepingCapacity: true)
        batch.text.removeAll(keepingCapacity: true)
        batch.hops.removeAll(keepingCapacity: true)
        firsts.removeAll(keepingCapacity: true)
        isDirty = false
    }
}
