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

    private var lastHandle: UInt32 = 0
    private var pending: [UInt32: Pending] = [:]
    private var frame = FrameBuffer(capacity: 4096)
    private var batch = TextBatch()

    init(_ links: LowerLinks) { self.links = links }

    private struct Pending {
        var request: LoadRequest
        var outcome: LoadOutcome
        var patience: UInt64
        var heardAt: UInt64
        var continuation: CheckedContinuation<LoadOutcome, Never>
    }

    func submit(
        _ request: LoadRequest, _ outcome: LoadOutcome, key: String, deadline: UInt64,
        _ continuation: CheckedContinuation<LoadOutcome, Never>
    ) {
        lastHandle += 1
        let handle = lastHandle
        var outcome = outcome
        let problem: String?
        do throws(WireError) {
            try Self.submit(request, handle: handle, key: key).encode(into: &frame, session: session?.number ?? 0)
            outcome.sentAt = MonotonicClock.now()
            let sent = session.map { links.send(&frame, on: $0.link, session: $0.number) }
            problem = sent == .sent ? nil : "could not be sent"
        } catch {
            problem = "does not fit the wire: \(error)"
        }
        if let problem {
            outcome.sentAt = max(outcome.sentAt, MonotonicClock.now())
            outcome.endedAt = outcome.sentAt
            outcome.error = problem
            continuation.resume(returning: outcome)
            return
        }
        pending[handle] = Pending(
            request: request, outcome: outcome, patience: deadline, heardAt: outcome.sentAt,
            continuation: continuation)
    }

    /// Takes what came on the link.
    func drain(_ link: UInt32) {
        do throws(TransportError) {
            try links.drain(link) { header, bytes, _, now throws(WireError) in
                guard header.kind == .output else { return }
                try batch.decode(bytes, header: header)
                take(at: now)
            }
        } catch {
            fail("\(error)")
        }
    }

    /// Does what the dialling side wants.
    func perform() {
        links.perform { action in
            switch action {
            case .sessionBegan(let link, let welcome):
                session = (link, welcome.session)
                model = welcome.model
                lastHandle = 0
            case .sessionEnded(_, _, let status, _):
                session = nil
                fail("the session ended: \(status)")
            case .probe(let link, let number):
                links.side.probeReply(number, on: link)
            case .control, .cancel, .refused, .windowOpened, .reconnect, .drained:
                break
            }
        }
    }

    /// Cancels requests that have been silent for too long.
    func giveUp(_ now: UInt64) {
        for (handle, request) in pending where now > request.heardAt &+ request.patience {
            if let session {
                Cancel(handle: handle).encode(into: &frame, session: session.number)
                links.send(&frame, on: session.link, session: session.number)
            }
            finish(handle) { $0.error = "no word for too long" }
        }
    }

    /// Ends all requests under way.
    func fail(_ reason: String) {
        for handle in Array(pending.keys) { finish(handle) { $0.error = reason } }
    }

    private func take(at now: UInt64) {
        var token = 0
        var text = 0
        for row in batch.rows {
            let bytes = batch.text[text..<(text + Int(row.textLength))]
            token += Int(row.tokenCount)
            text += Int(row.textLength)
            guard var request = pending[row.handle] else { continue }
            request.heardAt = now
            if row.tokenCount > 0, row.finish != .failed {
                request.outcome.delivered(at: now)
                request.outcome.tokens += Int(row.tokenCount)
            }
            if row.promptTokens > 0 {
                request.outcome.promptTokens = Int(row.promptTokens)
                request.outcome.cachedTokens = Int(row.cachedTokens)
            }
            if request.request.keepsText, row.finish != .failed {
                request.outcome.text += String(decoding: bytes, as: UTF8.self)
            }
            pending[row.handle] = request
            guard row.finish != .none else { continue }
            finish(row.handle) { outcome in
                outcome.endedAt = now
                switch row.finish {
                case .stop: outcome.finish = "stop"
                case .length: outcome.finish = "length"
                default:
                    outcome.error =
                        bytes.isEmpty ? "\(row.finish) (\(row.status))" : String(decoding: bytes, as: UTF8.self)
                }
                outcome.hops = batch.hops.filter { $0.handle == row.handle }
            }
        }
    }

    private func finish(_ handle: UInt32, _ body: (inout LoadOutcome) -> Void) {
        guard var request = pending.removeValue(forKey: handle) else { return }
        body(&request.outcome)
        if request.outcome.endedAt == 0 { request.outcome.endedAt = MonotonicClock.now() }
        request.continuation.resume(returning: request.outcome)
    }

    private static func submit(_ request: LoadRequest, handle: UInt32, key: String) -> Submit {
        var body = RequestBody(
            form: .chat,
            sampling: SamplingParameters(seed: request.seed, temperature: Float(request.temperature ?? 1)),
            limits: GenerationLimits(
                maximumTokens: UInt32(clamping: request.maximumTokens),
                ignoreEndOfSequence: request.ignoresEndOfSequence),
            wantsHops: request.wantsHops, model: request.model)
        switch request.prompt {
        case .chat(let text): body.strings = ["user", text]
        case .tokens(let tokens):
            body.form = .tokens
            body.tokens = tokens
        }
        return Submit(handle: handle, requestID: request.id, hasSeed: true, streams: true, key: key, body: body)
    }
}
