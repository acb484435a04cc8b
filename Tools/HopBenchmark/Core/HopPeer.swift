import Line
import Station
import Transport
import Wire

/// The lower side of one hop as a station has it: dealer, codec and dialling side on a reactor. Answers each request
/// with a tray of its own tokens.
public actor HopPeer {
    private nonisolated let reactor: Reactor
    private let links: LowerLinks
    private var request = Generate()
    private var batch = TokenBatch()
    private var frame = FrameBuffer(capacity: 1 << 10)

    public nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.executor }

    /// - Parameters:
    ///   - server: the upper side's CURVE key; nil for a plain link.
    ///   - secret: this side's, in Z85.
    public static func dial(_ address: String, server: String?, secret: String?) throws -> HopPeer {
        var security = Security.plain
        if let server, let secret {
            security = .curveClient(server: try PublicKey(z85: server), own: try KeyPair(secretZ85: secret))
        }
        return try HopPeer(Context(), dial: Endpoint(address), security: security)
    }

    init(_ context: Context, dial endpoint: Endpoint, security: Security) throws(TransportError) {
        reactor = try Reactor(name: "hop-peer")
        var settings = LineSettings()
        settings.stepAgeLimit = nil
        let side = DialSide(
            role: .inferenceWorker, epoch: UInt64.random(in: 1...UInt64.max), name: "hopbench-peer",
            contextLength: 1 << 20, slots: 256, settings: settings)
        links = LowerLinks(context, reactor: reactor, targets: [endpoint], security: security, side: side)
    }

    /// Dials, and answers until the process ends.
    public func start() {
        links.attach(
            onReadable: { [weak self] link in self?.assumeIsolated { $0.drain(link) } },
            onMonitor: { [weak self] link, event in self?.assumeIsolated { $0.handle(event, link) } })
        reactor.setTick(every: 20_000_000) { [weak self] in self?.assumeIsolated { $0.tick() } }
        perform()
    }

    func stop() {
        links.close()
        reactor.stop()
    }

    private func handle(_ event: MonitorEvent, _ link: UInt32) {
        links.handle(event, on: link, now: MonotonicClock.now())
        perform()
    }

    private func tick() {
        links.side.tick(MonotonicClock.now())
        perform()
    }

    private func drain(_ link: UInt32) {
        do throws(TransportError) {
            try links.drain(link) { header, bytes, link, now throws(WireError) in
                guard header.kind == .generate else { throw WireError(.unexpectedKind, offset: 3) }
                try request.decode(bytes, header: header)
                guard case .accepted(let work) = links.side.accept(request.handle, on: link, now: now),
                    let tray = links.side.trayToSend(on: link)
                else { return }
                HopFrames.fill(&batch.rows, handle: request.handle, tokens: request.tokens.count)
                batch.tray = tray
                swap(&batch.tokens, &request.tokens)
                batch.encode(into: &frame, session: header.session)
                links.side.ended(work)
                links.send(&frame, on: link, session: header.session)
            }
        } catch {
            // The caller's round ends with its session, and says so.
            links.close()
        }
        perform()
    }

    private func perform() {
        links.perform { action in
            switch action {
            case .cancel(let work): links.side.ended(work)
            case .sessionEnded(_, _, _, let works): for work in works { links.side.ended(work) }
            case .probe(let link, let number): links.side.probeReply(number, on: link)
            case .control, .sessionBegan, .refused, .windowOpened, .reconnect, .drained: break
            }
        }
    }
}
