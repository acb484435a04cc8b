import Station
import Telemetry
import Wire

/// Rows that wait for the next tray of one link's session.
final class TokenTray {
    let link: UInt32
    let session: UInt32
    var batch = TokenBatch()
    /// Works whose last row is in the batch: their slots are free once it is sent.
    var ended: [UInt64] = []

    /// Requests whose first token is in the batch: they are stamped when it is sent.
    var firsts: [WorkerRequest] = []

    /// Trays that go out before this one, each as large as a frame may be: what gathers while the window is shut.
    var full: [TokenTray] = []

    init(link: UInt32, session: UInt32) {
        self.link = link
        self.session = session
    }

    /// Begins another tray if one row more would be too much for a frame.
    func makeRoom(tokens: Int) {
        guard !batch.hasRoom(tokens: tokens) else { return }
        let tray = TokenTray(link: link, session: session)
        swap(&tray.batch, &batch)
        swap(&tray.ended, &ended)
        swap(&tray.firsts, &firsts)
        full.append(tray)
    }

    /// Encodes the rows as tray `number`; hop records that lack their time of sending get this one.
    func encode(_ number: UInt64, stampedAt now: UInt64, into frame: inout FrameBuffer) {
        batch.tray = number
        for request in firsts where request.stamps.firstSent == 0 { request.stamps.firstSent = now }
        for index in batch.hops.indices where batch.hops[index].sentAt == 0 { batch.hops[index].sentAt = now }
        batch.encode(into: &frame, session: session)
    }

    func clear() {
        batch.rows.removeAll(keepingCapacity: true)
        batch.tokens.removeAll(keepingCapacity: true)
        batch.hops.removeAll(keepingCapacity: true)
        ended.removeAll(keepingCapacity: true)
        firsts.removeAll(keepingCapacity: true)
    }
}
