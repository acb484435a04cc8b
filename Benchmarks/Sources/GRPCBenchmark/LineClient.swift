import Line
import Station
import Transport
import Wire

/// The station above on one hop, as a tokenizer is to its workers: sends `generate` frames against credit and takes
/// `tokenBatch` trays, with sessions, sequences, leases and acknowledgements.
actor LineClient: EchoPeer {
    nonisolated let reactor: Reactor
    nonisolated let endpoint: Endpoint
    nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.executor }
    nonisolated let name = "line"

    private let upper: UpperLink
    private var generate = Generate()
    private var batch = TokenBatch()
    private var frame = FrameBuffer(capacity: 4096)
    private var begunAt: [UInt64] = []
    private var latencies: [UInt64] = []
    private var outstanding = 0
    private var sendsUntil: UInt64 = 0
    private var differences = 0
    private var failure: (any Error)?
    private var waiter: CheckedContinuation<Void, Never>?

    init(_ station: StationParts) throws(TransportError) {
        reactor = station.reactor
        let upper = try UpperLink(
            station.context, bind: .tcp(host: "127.0.0.1", port: 0),
            dispatcher: Dispatcher(
                role: .tokenizer, epoch: station.epoch, name: "grpc-bench",
                settings: LineSettings(stepAgeLimit: nil),
                acceptedRoles: [.inferenceWorker], leases: true))
        endpoint = upper.endpoint
        self.upper = upper
    }

    func start() {
        upper.attach(to: reactor) { [weak self] in self?.assumeIsolated { $0.drain() } }
        reactor.setTick(every: 20_000_000) { [weak self] in
            self?.assumeIsolated { $0.upper.dispatcher.tick(MonotonicClock.now()) }
        }
        reactor.setTurnEnd { [weak self] in self?.assumeIsolated { $0.send() } }
    }

    func exchange(bytes: Int, window: Int, nanoseconds: UInt64) async throws -> [UInt64] {
        let tokens = (0..<UInt32(bytes / 4)).map { $0 &* 97 % 49_152 }
        generate = Generate(
            handle: 0, requestID: RequestID(high: 1, low: 2), ingestAttempt: 1, tokenizerAttempt: 1,
            digest: TokenDigest.of(tokens), sampling: SamplingParameters(),
            limits: GenerationLimits(maximumTokens: 1),
            tenant: "tenant-a", model: "echo", tokens: tokens)
        begunAt = Array(repeating: 0, count: window)
        latencies.removeAll(keepingCapacity: true)
        differences = 0
        sendsUntil = MonotonicClock.now() + nanoseconds
        for slot in 0..<window { submit(slot) }
        await withCheckedContinuation { waiter = $0 }
        if let failure { throw failure }
        guard differences == 0 else { throw PeerError.answerDiffers(name) }
        return latencies
    }

    private func submit(_ slot: Int) {
        let now = MonotonicClock.now()
        begunAt[slot] = now
        outstanding += 1
        if case .refused(let status) = upper.dispatcher.submit(UInt64(slot), now: now) {
            fail(PeerError.server("refused: \(status)"))
        }
    }

    private func send() {
        upper.perform { action in
            switch action {
            case .dispatch(let work, let session, let handle):
                generate.handle = handle
                generate.requestID.low = work
                do throws(WireError) {
                    try generate.encode(into: &frame, session: session.session)
                } catch {
                    return fail(error)
                }
                upper.send(&frame, to: session)
            case .lost(_, _, let reason): fail(PeerError.server("lost: \(reason)"))
            case .control, .peerUp, .peerDown, .probeReply, .framesRead, .traysRead: break
            }
        }
    }

    private func drain() {
        do throws(TransportError) {
            try upper.drain { header, bytes, session, _ throws(WireError) in
                guard header.kind == .tokenBatch else { throw WireError(.unexpectedKind, offset: 3) }
                try batch.decode(bytes, header: header)
                take(from: session)
            }
        } catch {
            fail(error)
        }
    }

    private func take(from session: SessionRef) {
        guard upper.dispatcher.trayTaken(batch.tray, in: session) else { return }
        if batch.tokens.count != batch.rows.count * generate.tokens.count
            || !batch.tokens.starts(with: generate.tokens)
        {
            differences += 1
        }
        let now = MonotonicClock.now()
        for row in batch.rows where row.finish != .none {
            guard let work = upper.dispatcher.finished(row.handle, in: session) else { continue }
            latencies.append(now - begunAt[Int(work)])
            outstanding -= 1
            if now < sendsUntil { submit(Int(work)) }
        }
        if outstanding == 0 { resume() }
    }

    private func fail(_ error: any Error) {
        failure = error
        resume()
    }

    private func resume() {
        waiter?.resume()
        waiter = nil
    }
}
