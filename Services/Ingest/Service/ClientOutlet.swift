import Keys
import Line
import Station
import Wire

/// One client of the ZeroMQ door.
final class ClientOutlet {
    let tray: RowTray<IngestRequest>
    let session: SessionRef
    /// Whose key the session began with.
    let client: ClientAccess.Client
    var tenant: String { client.tenant }
    var grant: KeyRing.Grant? { client.grant }
    /// The protocol version of the session.
    let version: UInt8
    var window = ClientWindow()
    /// Its requests, by its own handles.
    var works: [UInt32: UInt64] = [:]
    /// Handles of requests that wait for the ledger's word on their idempotency key.
    var claiming: Set<UInt32> = []
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

    init(_ peer: PeerInfo, _ client: ClientAccess.Client) {
        session = peer.session
        self.client = client
        version = peer.version
        tray = RowTray(link: 0, session: peer.session.session)
    }

    /// Whether a request of the client has this handle.
    func isInUse(_ handle: UInt32) -> Bool { works[handle] != nil || claiming.contains(handle) }

    /// Whether one row more keeps the frame within the client's window.
    func hasRoom(_ batch: borrowing TextBatch, tokens: Int, bytes: Int, hops: Int) -> Bool {
        let held = Self.frameBytes + Self.rowBytes * batch.rows.count + 4 * batch.tokens.count + batch.text.count
        let hopBytes = Self.hopBytes * (batch.hops.count + hops)
        return held + Self.rowBytes + 4 * tokens + bytes + hopBytes <= window.room
    }

    /// Bytes of a frame without rows, of a row and of a hop record.
    private static let frameBytes = 72
    private static let rowBytes = 28
    private static let hopBytes = 32

    /// Puts what waits into the batch, as the next output; false when nothing waits, or nothing may go before the
    /// client has read what went out.
    func fill(_ batch: inout TextBatch, sentAt: UInt64) -> Bool {
        guard !tray.isEmpty || !refusals.isEmpty else { return false }
        tray.fill(&batch, sentAt: sentAt)
        var taken = 0
        for refusal in refusals {
            let bytes = refusal.message.utf8.count
            guard batch.hasRoom(tokens: 0, bytes: bytes), hasRoom(batch, tokens: 0, bytes: bytes, hops: 0) else {
                break
            }
            batch.rows.append(
                TextRow(
                    handle: refusal.handle, tokenCount: 0, finish: .failed, status: refusal.status, position: 0,
                    textLength: UInt32(refusal.message.utf8.count)))
            batch.text += Array(refusal.message.utf8)
            taken += 1
        }
        refusals.removeFirst(taken)
        guard !batch.rows.isEmpty else { return false }
        trays += 1
        batch.tray = trays
        return true
    }
}
