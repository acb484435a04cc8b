import Line
import Station
import Transport
import Wire

/// The station below on one hop, as a worker is to its tokenizer: takes `generate` frames and gives each one's tokens
/// back as its only row; what one turn brought goes up in one tray, as an engine's step does.
actor LineServer {
    nonisolated let reactor: Reactor
    nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.executor }

    private let lower: LowerLinks
    private var generate = Generate()
    private var batch = TokenBatch()
    private var frame = FrameBuffer(capacity: 4096)
    private var link: UInt32 = 0
    private var works: [UInt64] = []

    init(_ station: StationParts, dial endpoint: Endpoint) {
        reactor = station.reactor
        lower = LowerLinks(
            station.context, reactor: station.reactor, targets: [endpoint],
            side: DialSide(
                role: .inferenceWorker, epoch: station.epoch, name: "echo", model: "echo",
                contextLength: 4096,
                slots: 4096, settings: LineSettings(stepAgeLimit: nil)))
    }

    func start() {
        lower.attach(
            onReadable: { [weak self] link in self?.assumeIsolated { $0.drain(link) } },
            onMonitor: { [weak self] link, event in
                self?.assumeIsolated { $0.lower.handle(event, on: link, now: MonotonicClock.now()) }
            })
        reactor.setTick(every: 20_000_000) { [weak self] in
            self?.assumeIsolated { $0.lower.side.tick(MonotonicClock.now()) }
        }
        reactor.setTurnEnd { [weak self] in self?.assumeIsolated { $0.send() } }
    }

    private func drain(_ link: UInt32) {
        do throws(TransportError) {
            try lower.drain(link) { header, bytes, link, now throws(WireError) in
                guard header.kind == .generate else { throw WireError(.unexpectedKind, offset: 3) }
                try generate.decode(bytes, header: header)
                guard case .accepted(let work) = lower.side.accept(generate.handle, on: link, now: now)
                else { return }
                self.link = link
                works.append(work)
                batch.rows.append(
                    TokenRow(
                        handle: generate.handle, tokenCount: UInt16(clamping: generate.tokens.count),
                        finish: .length,
                        position: 0, digest: generate.digest))
                batch.tokens.append(contentsOf: generate.tokens)
            }
        } catch {
            fatalError("cannot receive: \(error)")
        }
    }

    private func send() {
        lower.perform(handle)
        guard !batch.rows.isEmpty, let session = lower.side.session(of: link),
            let number = lower.side.trayToSend(on: link)
        else { return }
        batch.tray = number
        batch.encode(into: &frame, session: session)
        lower.send(&frame, on: link, session: session)
        for work in works { lower.side.ended(work) }
        works.removeAll(keepingCapacity: true)
        batch.clear()
        lower.perform(handle)
    }

    private func handle(_ action: DialSide.Action) {
        guard case .sessionEnded(_, _, _, let ended) = action else { return }
        for work in ended { lower.side.ended(work) }
        works = []
        batch.clear()
    }
}
