import Station
import Telemetry
import Wire

/// Rows that wait for the next tray of one link's session.
final class TextTray {
    let link: UInt32
    let session: UInt32
    var batch = TextBatch()
    /// Works whose last row is in the batch: their slots are free once it is sent.
    var ended: [UInt64] = []

    /// Streams whose first token is in the batch: they are stamped when it is sent.
    var firsts: [AnswerStream] = []

    /// Trays that go out before this one, each as large as a frame may be: what gathers while the window is shut.
    var full: [TextTray] = []

    init(link: UInt32, session: UInt32) {
        self.link = link
        self.session = session
    }

    /// Begins another tray if one row more would be too much for a frame.
    func makeRoom(tokens: Int, bytes: Int) {
        guard !batch.hasRoom(tokens: tokens, bytes: bytes) else { return }
        let tray = TextTray(link: link, session: session)
        swap(&tray.batch, &batch)
        swap(&tray.ended, &ended)
        swap(&tray.firsts, &firsts)
        full.append(tray)
    }

    func clear() {
        batch.rows.removeAll(keepingCapacity: true)
        batch.tokens.removeAll(keepingCapacity: true)
        batch.text.removeAll(keepingCapacity: true)
        batch.hops.removeAll(keepingCapacity: true)
        ended.removeAll(keepingCapacity: true)
        firsts.removeAll(keepingCapacity: true)
    }

    /// Encodes the rows as tray `number`; records that lack their time of sending get this one.
    func encode(_ number: UInt64, stampedAt now: UInt64, into frame: inout FrameBuffer) {
        batch.tray = number
        for stream in firsts where stream.stamps.firstSent == 0 { stream.stamps.firstSent = now }
        for index in batch.hops.indices where batch.hops[index].sentAt == 0 { batch.hops[index].sentAt = now }
        batch.encode(kind: .textBatch, into: &frame, session: session)
    }
}
