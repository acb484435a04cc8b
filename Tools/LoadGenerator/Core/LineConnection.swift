import Line
import Station
import Transport
import Wire

/// One connection to a ZeroMQ door and the requests under way on it. Belongs to its `LineDoor`.
final class LineConnection {
    let links: LowerLinks
    /// The session that goes on.
    private(set) var session: (link: UInt32, number: UInt32)?
    /// What the door said that it serves.
    private(set) var model = ""

    /// Bytes of answers after which the door hears that they were read: a quarter of what it lets wait.
    private var acknowledgeAfter = Int.max
    private var unacknowledgedBytes = 0
    private var lastTray: UInt64 = 0
    private var slots = RequestSlots()
    private var events = RequestSlots.Events()
    private var frame = FrameBuffer(capacity: 4096)
    private var message = Submit()
    private var batch = TextBatch()

    init(_ links: LowerLinks, key: String) {
        self.links = links
        message.key = key
        message.hasSeed = true
        message.streams = true
    }

    /// Sends a request; returns why that could not be done.
    func submit(_ request: LoadRequest, _ ended: @escaping LoadEnded) -> String? {
        guard let session else { return "no session" }
        let now = MonotonicClock.now()
        guard let handle = slots.insert(request, sentAt: now, ended: ended) else {
            return "more than \(RequestSlots.limit) requests are under way on a connection"
        }
        fill(request, handle)
        do throws(WireError) {
            try message.encode(
                into: &frame, session: session.number, version: links.side.version(of: session.link))
        } catch {
            _ = slots.remove(Int(handle & 0xffff))
            return "does not fit the wire: \(error)"
        }
        guard links.send(&frame, on: session.link, session: session.number) == .sent else {
            _ = slots.remove(Int(handle & 0xffff))
            return "could not be sent"
        }
        return nil
    }

    /// Takes what came on the link.
    func drain(_ link: UInt32) {
        do throws(TransportError) {
            try links.drain(link) { header, bytes, _, now throws(WireError) in
                guard header.kind == .output else { return }
                try batch.decode(bytes, header: header)
                lastTray = batch.tray
                unacknowledgedBytes += bytes.count
                slots.take(batch, at: now, into: &events)
                if !events.cancels.isEmpty { cancel() }
                if !events.ended.isEmpty { finish() }
            }
        } catch {
            fail("\(error)")
        }
        if unacknowledgedBytes >= acknowledgeAfter { acknowledge() }
    }

    private func acknowledge() {
        unacknowledgedBytes = 0
        guard let session else { return }
        Count(lastTray).encode(kind: .trayAck, into: &frame, session: session.number)
        links.send(&frame, on: session.link, session: session.number)
    }

    /// Does what the dialling side wants.
    func perform() {
        links.perform { action in
            switch action {
            case .sessionBegan(let link, let welcome):
                session = (link, welcome.session)
                model = welcome.model
                let isHeard = welcome.version >= 2 && welcome.outputWindow > 0
                acknowledgeAfter = isHeard ? Int(welcome.outputWindow) / 4 : Int.max
                unacknowledgedBytes = 0
            case .sessionEnded(_, _, let status, _):
                session = nil
                fail("the session ended: \(status)")
                slots = RequestSlots()
            case .probe(let link, let number):
                links.side.probeReply(number, on: link)
            case .control, .cancel, .refused, .windowOpened, .reconnect, .drained:
                break
            }
        }
    }

    /// Cancels requests that have been silent for too long.
    func giveUp(_ patience: UInt64, now: UInt64) {
        guard slots.count > 0 else { return }
        for index in slots.silent(patience, now: now) {
            events.cancels.append(slots.slots[index].handle)
            cancel()
            finish(index) { outcome in
                if outcome.isCancelled { outcome.finish = "cancelled" } else { outcome.error = "no word for too long" }
            }
        }
    }

    /// Ends all requests under way.
    func fail(_ reason: String) {
        for index in slots.taken { finish(index) { $0.error = reason } }
    }

    private func cancel() {
        for handle in events.cancels {
            guard let session else { break }
            Cancel(handle: handle).encode(into: &frame, session: session.number)
            links.send(&frame, on: session.link, session: session.number)
        }
        events.cancels.removeAll(keepingCapacity: true)
    }

    private func finish() {
        // What is called here may submit, but takes no rows.
        for index in events.ended { finish(index) { _ in } }
        events.ended.removeAll(keepingCapacity: true)
    }

    private func finish(_ index: Int, _ body: (inout LoadOutcome) -> Void) {
        guard var removed = slots.remove(index) else { return }
        body(&removed.outcome)
        if removed.outcome.endedAt == 0 { removed.outcome.endedAt = MonotonicClock.now() }
        removed.ended(removed.outcome)
        slots.recycle(&removed.outcome.gaps)
    }

    private func fill(_ request: LoadRequest, _ handle: UInt32) {
        message.handle = handle
        message.requestID = request.id
        message.idempotencyKey = request.idempotencyKey
        message.body.sampling = SamplingParameters(
            seed: request.seed, temperature: Float(request.temperature ?? 1))
        message.body.limits = GenerationLimits(
            maximumTokens: UInt32(clamping: request.maximumTokens), ignoreEndOfSequence: request.ignoresEndOfSequence)
        message.body.wantsHops = request.wantsHops
        message.body.model = request.model
        message.body.tokens = []
        message.body.strings = []
        switch request.prompt {
        case .chat(let text):
            message.body.form = .chat
            message.body.strings = ["user", text]
        case .text(let text):
            message.body.form = .text
            message.body.strings = [text]
        case .tokens(let tokens):
            message.body.form = .tokens
            message.body.tokens = tokens
        }
    }
}
