import Line
import Station
import Transport
import Wire

/// What the client saw of one request.
struct LineSample: Sendable {
    /// Before the request was encoded, and after the last row was decoded.
    var begunAt: UInt64 = 0
    var endedAt: UInt64 = 0
    /// Stamped into the request's frame, and taken when frames with its first and last row were received.
    var sentAt: UInt64 = 0
    var firstAt: UInt64 = 0
    var lastAt: UInt64 = 0
    var hops: [HopRecord] = []
    var wantedHops = false
    var tokens = 0

    var latency: UInt64 { endedAt - begunAt }
}

/// One round of requests through the line, one at a time.
struct LineRound: Sendable {
    var warmup: Int
    var count: Int
    var pauseMicroseconds: UInt32
    var stamping: Stamping

    /// Which requests ask for hop records.
    enum Stamping: Sendable {
        case all
        case none
        /// Every other one, so that what stamping costs shows beside requests of the same moment.
        case everyOther
    }

    init(_ mode: BenchMode, count: Int, stamping: Stamping = .none) {
        self.stamping = stamping
        self.count = count
        (warmup, pauseMicroseconds) = mode == .idle ? (5, 3000) : (max(20, count / 10), 0)
    }
}

/// A client of the ZeroMQ door on a reactor, as anybody's client is: session, codec, one request at a time.
actor LineProbe {
    private nonisolated let reactor: Reactor
    private let links: LowerLinks
    private let door: String
    /// What the door said that it serves.
    private(set) var model = ""
    private var session: (link: UInt32, number: UInt32)?
    private var sessionWaiter: CheckedContinuation<Void, Never>?
    private var frame = FrameBuffer(capacity: 4096)
    private var batch = TextBatch()
    private var request: Submit
    private var handle: UInt32 = 0
    private var round: LineRound?
    private var sample = LineSample()
    private var isUnderWay = false
    private var ended = 0
    private var samples: [LineSample] = []
    private var waiter: CheckedContinuation<Result<[LineSample], BenchError>, Never>?

    nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.executor }

    /// - Parameter promptTokens: how many token ids each prompt has.
    /// - Parameter serverKey: the door's public CURVE key, in Z85; empty for a plain door.
    init(
        _ context: Context, door: String, key: String = "", serverKey: String = "", promptTokens: Int = 32
    ) throws(TransportError) {
        self.door = door
        reactor = try Reactor(name: "line-probe")
        var side = DialSide(role: .client, epoch: UInt64.random(in: 1...UInt64.max), name: "hopbench")
        side.key = key
        links = LowerLinks(
            context, reactor: reactor, targets: [try Endpoint(door)], security: try .client(ofDoor: serverKey),
            side: side)
        request = Submit(
            handle: 0, hasSeed: true, streams: true, key: key,
            body: RequestBody(
                form: .tokens, sampling: SamplingParameters(seed: 1, temperature: 0),
                limits: GenerationLimits(maximumTokens: 1, ignoreEndOfSequence: true), model: "",
                tokens: Self.prompt(promptTokens)))
    }

    /// So many token ids that every vocabulary has.
    static func prompt(_ tokens: Int) -> [UInt32] { (0..<tokens).map { UInt32(1000 + $0 % 16_384) } }

    /// Dials, and returns when a request has come back whole.
    func connect() async throws(BenchError) {
        links.attach(
            onReadable: { [weak self] link in self?.assumeIsolated { $0.drain(link) } },
            onMonitor: { [weak self] link, event in self?.assumeIsolated { $0.handle(event, link) } })
        setPause(0)
        if session == nil { await withCheckedContinuation { sessionWaiter = $0 } }
        var problem: BenchError?
        // The line below may still be coming up.
        for _ in 0..<200 {
            do throws(BenchError) {
                _ = try await run(LineRound(.hot, count: 1, stamping: .all))
                return
            } catch {
                problem = error
                try? await Task.sleep(for: .milliseconds(50))
            }
        }
        throw problem ?? .cluster("\(door) does not answer")
    }

    func stop() {
        links.close()
        reactor.stop()
    }

    func run(_ round: LineRound) async throws(BenchError) -> [LineSample] {
        let result = await withCheckedContinuation { continuation in
            waiter = continuation
            self.round = round
            ended = 0
            samples.removeAll(keepingCapacity: true)
            samples.reserveCapacity(round.count)
            setPause(round.pauseMicroseconds)
            if round.pauseMicroseconds == 0 { send() }
        }
        return try result.get()
    }

    /// With a pause the reactor's tick sends the next request, once the pause is over; until then nothing wakes a core.
    private func setPause(_ microseconds: UInt32) {
        let every = microseconds > 0 ? UInt64(microseconds) * 1000 : 20_000_000
        reactor.setTick(every: every) { [weak self] in self?.assumeIsolated { $0.tick() } }
    }

    private func tick() {
        let now = MonotonicClock.now()
        links.side.tick(now)
        if let round, round.pauseMicroseconds > 0, !isUnderWay,
            now >= sample.endedAt + UInt64(round.pauseMicroseconds) * 1000
        {
            send()
        }
        perform()
    }

    private func handle(_ event: MonitorEvent, _ link: UInt32) {
        links.handle(event, on: link, now: MonotonicClock.now())
        perform()
    }

    private func send() {
        guard let session else { return fail("no session with \(door)") }
        handle &+= 1
        request.handle = handle
        request.body.wantsHops =
            switch round?.stamping {
            case .all: true
            case .everyOther: handle.isMultiple(of: 2)
            case .some(.none), nil: false
            }
        sample = LineSample(begunAt: MonotonicClock.now(), wantedHops: request.body.wantsHops)
        do throws(WireError) {
            try request.encode(
                into: &frame, session: session.number, version: links.side.version(of: session.link))
        } catch {
            return fail("\(error)")
        }
        isUnderWay = true
        guard links.send(&frame, on: session.link, session: session.number) == .sent else {
            return fail("a request could not be sent")
        }
        sample.sentAt = (try? FrameHeader.decode(frame.bytes.span))?.sentAt ?? 0
    }

    private func drain(_ link: UInt32) {
        do throws(TransportError) {
            try links.drain(link) { header, bytes, _, now throws(WireError) in
                guard header.kind == .output else { return }
                try batch.decode(bytes, header: header)
                for row in batch.rows where row.handle == handle && isUnderWay { take(row, at: now) }
            }
        } catch {
            fail("\(error)")
        }
        perform()
    }

    private func take(_ row: TextRow, at now: UInt64) {
        if sample.firstAt == 0 { sample.firstAt = now }
        sample.tokens += Int(row.tokenCount)
        guard row.finish != .none else { return }
        isUnderWay = false
        guard row.finish == .length, sample.tokens == 1 else {
            return fail("an answer that is not one token: \(row.finish), \(row.status)")
        }
        sample.lastAt = now
        sample.hops = batch.hops
        sample.endedAt = MonotonicClock.now()
        guard let round else { return }
        if ended >= round.warmup { samples.append(sample) }
        ended += 1
        if ended == round.warmup + round.count {
            self.round = nil
            waiter?.resume(returning: .success(samples))
            waiter = nil
        } else if round.pauseMicroseconds == 0 {
            send()
        } else {
            setPause(round.pauseMicroseconds)
        }
    }

    private func perform() {
        links.perform { action in
            switch action {
            case .sessionBegan(let link, let welcome):
                session = (link, welcome.session)
                model = welcome.model
                sessionWaiter?.resume()
                sessionWaiter = nil
            case .sessionEnded(_, _, let status, _):
                session = nil
                fail("the session ended: \(status)")
            case .probe(let link, let number): links.side.probeReply(number, on: link)
            case .control, .cancel, .refused, .windowOpened, .reconnect, .drained: break
            }
        }
    }

    private func fail(_ reason: String) {
        round = nil
        isUnderWay = false
        waiter?.resume(returning: .failure(.cluster(reason)))
        waiter = nil
    }
}
