public import Batching
import Line
public import Logging
public import Station
import Telemetry
public import Transport
import Wire

/// The engine's thread, as the worker's loop uses it. All methods return at once and may be called from any thread.
public protocol EngineControl: Sendable {
    func admit(_ request: EngineRequest)
    func cancel(_ id: UInt64)
    /// Ends every request as handed back.
    func handBackAll()
}

/// What the engine's thread has done, as the worker's loop finds it. Whoever has something to report wakes the reactor.
public protocol StepReports: Sendable {
    /// Calls `body` with the rows, the beginning and the end of each step since the last call, oldest first. On the
    /// loop's thread.
    func take(_ body: (_ rows: [EngineRow], _ begunAt: UInt64, _ endedAt: UInt64) -> Void)
}

/// The inference worker: takes requests from tokenizers, has the engine generate, sends each step's tokens as one tray
/// to each tokenizer.
///
/// Runs on its reactor's thread alone; the engine has a thread of its own, whose reports are taken at a turn's end.
public actor WorkerLoop: DiallingStation {
    public nonisolated let reactor: Reactor
    public nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.executor }

    private let configuration: WorkerConfiguration
    public let log: Logger
    private let epoch: UInt64
    private let engine: any EngineControl
    private let reports: any StepReports
    public let ledger: LedgerProducer
    let tokenizers: LowerLinks
    public let dialling: Dialling

    private var requests = KeyedSlots<WorkerRequest>()
    private var trays: [UInt32: RowTray<WorkerRequest>] = [:]
    var counters = WorkerCounters()
    var mirror: MetricMirror?
    private var generateFrame = Generate()
    private var tokenBatch = TokenBatch()
    private var frame = FrameBuffer(capacity: 4096)
    private var drained: [CheckedContinuation<Void, Never>] = []
    private var isDrained = false

    public init(
        _ configuration: WorkerConfiguration, station: StationParts, engine: any EngineControl,
        reports: any StepReports, ledger: consuming sending LedgerProducer, log: Logger
    ) {
        self.configuration = configuration
        self.log = log
        self.engine = engine
        self.reports = reports
        self.ledger = ledger
        reactor = station.reactor
        epoch = station.epoch
        tokenizers = LowerLinks(
            station.context, reactor: station.reactor, targets: configuration.tokenizers,
            credentials: configuration.credentials,
            side: DialSide(
                role: .inferenceWorker, epoch: station.epoch, name: configuration.name,
                model: configuration.modelName, contextLength: UInt32(clamping: configuration.contextLength),
                slots: UInt32(clamping: configuration.slots), settings: configuration.line))
        dialling = Dialling(resolver: station.resolver)
    }

    /// Begins to dial.
    public func start() {
        ledger.keepRoom(forWorks: configuration.slots, log: log)
        tokenizers.attach(
            onReadable: { [weak self] link in self?.assumeIsolated { $0.drainTokenizer(link) } },
            onMonitor: { [weak self] link, event in
                self?.assumeIsolated { $0.tokenizers.handle(event, on: link, now: MonotonicClock.now()) }
            })
        beginTurns()
    }

    /// Gives notice upward, finishes what is held, and returns when nothing is; at the bound it hands the rest back,
    /// and waits no more than two seconds for the engine to let go and for those above to have taken it.
    public func drain(boundSeconds: Double) async {
        tokenizers.side.drain(now: MonotonicClock.now())
        endTurn()
        let engine = engine
        let bound = Task { [weak self] in
            try? await Task.sleep(for: .seconds(boundSeconds))
            if Task.isCancelled { return }
            engine.handBackAll()
            try? await Task.sleep(for: .seconds(2))
            if !Task.isCancelled { await self?.resumeDrained() }
        }
        defer { bound.cancel() }
        if !isDrained { await withCheckedContinuation { drained.append($0) } }
        await ledger.finish(withinSeconds: 3, log: log)
    }

    /// Whether a tokenizer is there.
    public var isReady: Bool { tokenizers.side.sessionCount > 0 }

    /// Requests held now.
    var heldCount: Int { requests.count }

    // MARK: From above

    private func drainTokenizer(_ link: UInt32) {
        do {
            try tokenizers.drain(link) { header, bytes, link, now throws(WireError) in
                guard header.kind == .generate else {
                    throw WireError(.unexpectedKind, offset: 3)
                }
                try generateFrame.decode(bytes, header: header)
                take(generateFrame, on: link, now: now)
            }
        } catch {
            log.error("worker: cannot receive from tokenizer", metadata: ["error": "\(error)"])
        }
    }

    private func take(_ generate: Generate, on link: UInt32, now: UInt64) {
        // Credit is granted after the session's beginning was handled: whoever keeps to it finds a tray here.
        guard let tray = trays[link],
            case .accepted(let work) = tokenizers.side.accept(generate.handle, on: link, now: now)
        else { return }
        let request = WorkerRequest(generate, work: work, tray: tray, receivedAt: now)
        requests[work] = request
        counters.requests += 1
        counters.promptTokens += UInt64(request.promptTokens)
        engine.admit(EngineRequest(id: work, generate, receivedAt: now))
    }

    private func cancel(_ work: UInt64) {
        guard let request = requests[work], request.producedAtCancel == nil else { return }
        request.producedAtCancel = request.produced
        counters.cancelled += 1
        engine.cancel(work)
    }

    // MARK: From the engine

    /// Takes the rows of one step.
    /// - Parameter endedAt: When it ended, on the monotonic clock.
    private func take(_ rows: [EngineRow], endedAt: UInt64) {
        let now = MonotonicClock.now()
        counters.steps += 1
        tokenizers.side.stepped(now: now)
        var tokens: UInt64 = 0
        for index in rows.indices {
            guard let request = requests[rows[index].id] else { continue }
            if let token = rows[index].token {
                request.append(token, at: rows[index].index)
                tokens += 1
            }
            if rows[index].details != nil { takeDetails(of: rows[index], request, endedAt: endedAt, now: now) }
            request.tray.list(request)
        }
        counters.tokens += tokens
    }

    /// Takes what only a request's first and last rows tell.
    private func takeDetails(of row: EngineRow, _ request: WorkerRequest, endedAt: UInt64, now: UInt64) {
        guard let details = row.details else { return }
        if details.isFirst {
            counters.cachedTokens += UInt64(details.cachedTokens)
            request.begin(details, hasToken: row.token != nil, receivedAt: endedAt, begunAt: now)
        }
        guard let end = details.end?.wire else { return }
        request.end(end.finish, end.status, at: row.index, receivedAt: endedAt, begunAt: now)
        if end.finish != .none { record(request, details.usage, end) }
        requests[row.id] = nil
        // Its session has ended: there is nobody to tell.
        if !request.tray.isOpen { tokenizers.side.ended(row.id) }
    }

    private func record(
        _ request: WorkerRequest, _ usage: AttemptUsage, _ end: (finish: FinishReason, status: Status)
    ) {
        let afterCancel = request.producedAtCancel.map { usage.produced - min($0, usage.produced) } ?? 0
        counters.tokensAfterCancel += UInt64(afterCancel)
        if end.finish == .failed { counters.failures += 1 }
        ledger.record(
            LedgerEvent(
                kind: .attempt, requestID: request.requestID, ingestAttempt: request.ingestAttempt,
                tokenizerAttempt: request.tokenizerAttempt, producerRole: .inferenceWorker, producer: epoch,
                outcome: end.finish, status: end.status, promptTokens: request.promptTokens,
                cachedTokens: request.cachedTokens, producedTokens: usage.produced,
                tokensAfterCancel: afterCancel,
                microjoules: usage.microjoules.map { Int64(clamping: $0) } ?? -1,
                energySource: usage.microjoules == nil ? 0 : usage.energySource?.rawValue ?? 0,
                wallTime: WallClock.now(), tenant: request.tenant, model: request.model, worker: configuration.name))
    }

    // MARK: Turns

    /// A worker's heartbeats are answers, so that but for credit and ledger events, which say so, nothing waits for
    /// ticks.
    public var tickInterval: UInt64 { min(100_000_000, configuration.line.silenceLimit / 8) }

    public var awaitsTick: Bool { tokenizers.side.awaitsTick }

    public func tick(_ now: UInt64) {
        mirrorMetrics(now)
        takeWork(ledger.failure == nil, now)
        tokenizers.tick(now)
        dialling.refresh(now: now, tokenizers, reactor: reactor) { [weak self] name, addresses in
            self?.assumeIsolated { $0.tokenizers.resolved(name, to: addresses) }
        }
    }

    /// A worker that cannot record its attempts leaves the line, and joins again when it can.
    private func takeWork(_ takes: Bool, _ now: UInt64) {
        if takes == tokenizers.side.isSuspended { tokenizers.side.suspend(!takes, now: now) }
    }

    public func endTurn() {
        reports.take { rows, _, endedAt in take(rows, endedAt: endedAt) }
        tokenizers.perform(handle)
        ledger.commit(log: log)
        flushTrays()
        tokenizers.perform(handle)
        ledger.flush(log: log)
    }

    private func handle(_ action: DialSide.Action) {
        switch action {
        case .control, .reconnect, .windowOpened: break
        case .cancel(let work): cancel(work)
        case .sessionBegan(let link, let welcome):
            log.info("worker: joined", metadata: ["tokenizer": "\(welcome.name)"])
            trays[link] = RowTray(link: link, session: welcome.session)
        case .sessionEnded(let link, _, let status, let works):
            log.info("worker: session ended", metadata: ["reason": "\(status)", "requests": "\(works.count)"])
            trays.removeValue(forKey: link)?.close()
            for work in works {
                if requests[work] == nil { tokenizers.side.ended(work) } else { cancel(work) }
            }
        case .refused(_, let status):
            log.warning("worker: tokenizer refuses", metadata: ["reason": "\(status)"])
        case .probe(let link, let number): tokenizers.side.probeReply(number, on: link)
        case .drained: resumeDrained()
        }
    }

    private func resumeDrained() {
        isDrained = true
        for continuation in drained { continuation.resume() }
        drained = []
    }

    private func flushTrays() {
        for tray in trays.values { tokenizers.flush(tray, through: &tokenBatch, frame: &frame) }
    }
}
