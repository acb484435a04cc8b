import Line
import Station
import Transport
import Wire

/// The upper side of one hop as a station has it: dispatcher, codec and router on a reactor. Sends requests and measures
/// until the answer is decoded and its lease has ended.
actor HopCaller {
    private nonisolated let reactor: Reactor
    private let link: UpperLink
    private let authenticator: ZAPAuthenticator?

    private var request = Generate()
    private var batch = TokenBatch()
    private var frame = FrameBuffer(capacity: 1 << 10)

    private var round: ExchangeRound?
    private var begun = 0
    private var ended = 0
    private var startedAt: UInt64 = 0
    /// When the last answer was there.
    private var endedAt: UInt64 = 0
    private var sentAt: [UInt64] = []
    private var samples: [UInt64] = []
    private var nextWork: UInt64 = 0
    private var waiter: CheckedContinuation<Result<ExchangeResult, BenchError>, Never>?
    private var peerWaiter: CheckedContinuation<Void, Never>?
    private var hasPeer = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.executor }

    /// Where it is bound.
    nonisolated let endpoint: Endpoint

    /// - Parameter client: with a CURVE server's security, the key that is let in.
    init(_ context: Context, bind: Endpoint, security: Security, client: PublicKey?) throws(TransportError) {
        reactor = try Reactor(name: "hop-caller")
        authenticator =
            if let client { try ZAPAuthenticator(context, allowed: [client: "bench"]) } else { nil }
        var settings = LineSettings()
        settings.stepAgeLimit = nil
        settings.trayWindow = 1024
        let dispatcher = Dispatcher(
            role: .tokenizer, epoch: UInt64.random(in: 1...UInt64.max), name: "hopbench", settings: settings,
            acceptedRoles: [.inferenceWorker], leases: true)
        link = try UpperLink(context, bind: bind, security: security, dispatcher: dispatcher)
        endpoint = link.endpoint
    }

    /// Begins to listen, and returns when the other side has a session.
    func start() async {
        link.attach(to: reactor) { [weak self] in self?.assumeIsolated { $0.drain() } }
        setPause(0)
        if !hasPeer { await withCheckedContinuation { peerWaiter = $0 } }
    }

    func stop() {
        link.detach()
        reactor.stop()
    }

    func run(_ round: ExchangeRound) async throws(BenchError) -> ExchangeResult {
        let result = await withCheckedContinuation { continuation in
            waiter = continuation
            begin(round)
        }
        return try result.get()
    }

    private func begin(_ round: ExchangeRound) {
        self.round = round
        request = HopFrames.request(bodyBytes: round.bodyBytes)
        (begun, ended, startedAt) = (0, 0, 0)
        samples.removeAll(keepingCapacity: true)
        samples.reserveCapacity(round.count)
        sentAt = Array(repeating: 0, count: round.window)
        setPause(round.pauseMicroseconds)
        if round.pauseMicroseconds == 0 { refill(round) }
        perform()
    }

    /// With a pause the reactor's tick sends the next request, once the pause is over; until then nothing wakes a core.
    private func setPause(_ microseconds: UInt32) {
        let every = microseconds > 0 ? UInt64(microseconds) * 1000 : 20_000_000
        reactor.setTick(every: every) { [weak self] in self?.assumeIsolated { $0.tick() } }
    }

    private func tick() {
        let now = MonotonicClock.now()
        link.dispatcher.tick(now)
        if let round, round.pauseMicroseconds > 0, begun == ended, begun < round.warmup + round.count,
            now >= endedAt + UInt64(round.pauseMicroseconds) * 1000
        {
            send(round)
        }
        perform()
    }

    private func refill(_ round: ExchangeRound) {
        while begun < round.warmup + round.count, begun - ended < round.window { send(round) }
    }

    private func send(_ round: ExchangeRound) {
        let now = MonotonicClock.now()
        if begun == round.warmup { startedAt = now }
        sentAt[begun % round.window] = now
        begun += 1
        nextWork += 1
        if case .refused(let status) = link.dispatcher.submit(nextWork, now: now) { fail("refused: \(status)") }
    }

    private func drain() {
        do throws(TransportError) {
            try link.drain { header, bytes, session, _ throws(WireError) in
                guard header.kind == .tokenBatch else { throw WireError(.unexpectedKind, offset: 3) }
                try batch.decode(bytes, header: header)
                guard link.dispatcher.trayTaken(batch.tray, in: session) else { return }
                for row in batch.rows {
                    guard link.dispatcher.lease(of: row.handle, in: session) != nil else { continue }
                    if row.finish != .none { finish(row.handle, session) }
                }
            }
        } catch {
            fail("\(error)")
        }
        perform()
    }

    private func finish(_ handle: UInt32, _ session: SessionRef) {
        link.dispatcher.finished(handle, in: session)
        guard let round else { return }
        guard batch.tokens.count == request.tokens.count else { return fail("an answer of another length") }
        let now = MonotonicClock.now()
        // Leases end in the order in which they began: there is one peer, and it answers in order.
        if ended >= round.warmup { samples.append(now - sentAt[ended % round.window]) }
        ended += 1
        endedAt = now
        if ended == round.warmup + round.count {
            self.round = nil
            waiter?.resume(returning: .success(ExchangeResult(samples: samples, elapsed: now - startedAt)))
            waiter = nil
        } else if round.pauseMicroseconds == 0 {
            refill(round)
        } else {
            setPause(round.pauseMicroseconds)
        }
    }

    private func perform() {
        link.perform { action in
            switch action {
            case .dispatch(_, let session, let handle):
                request.handle = handle
                do throws(WireError) {
                    try request.encode(into: &frame, session: session.session)
                } catch {
                    fail("\(error)")
                }
                if link.send(&frame, to: session) != .sent { fail("a request could not be sent") }
            case .peerUp:
                hasPeer = true
                peerWaiter?.resume()
                peerWaiter = nil
            case .lost(_, _, let reason): fail("a request was lost: \(reason)")
            case .peerDown, .probeReply, .control, .framesRead, .traysRead: break
            }
        }
    }

    private func fail(_ reason: String) {
        round = nil
        waiter?.resume(returning: .failure(.hop(reason)))
        waiter = nil
    }
}
