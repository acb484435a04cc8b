import Line
public import Logging
import OpenAIDoor
public import Station
import Telemetry
public import Transport
import Wire

/// Says whose key it is; nil refuses.
public typealias KeyCheck = @Sendable (_ key: String) -> String?

/// The ingest: admits requests of both doors, sends them to tokenizers, streams the answers back, states to the ledger
/// what was reserved and what was delivered.
///
/// Runs on its reactor's thread alone.
public actor IngestLoop {
    public nonisolated let reactor: Reactor
    public nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.executor }
    /// Where clients dial, with the actual port.
    public nonisolated let clientDoor: Endpoint
    /// Where tokenizers dial, with the actual port.
    public nonisolated let tokenizerLink: Endpoint

    let configuration: IngestConfiguration
    let log: Logger
    let epoch: UInt64
    let ledger: LedgerProducer
    let clients: UpperLink
    let tokenizers: UpperLink
    private let dialling: Dialling
    private let tenantOfKey: KeyCheck

    var requests = SlotTable<IngestRequest>()
    /// Bytes of their prompts.
    var heldBytes = 0
    var memory = RequestMemory()
    var counters = IngestCounters()
    var mirror: MetricMirror?
    private var outlets: [SessionRef: ClientOutlet] = [:]
    var dirty: [ClientOutlet] = []
    /// Works of the HTTP door by their streams' numbers.
    var httpWorks: [UInt64: UInt64] = [:]
    /// Ends that go to the HTTP door once they stand in the spool.
    var httpEnds: [HTTPEnd] = []
    private var submitFrame = Submit()
    private var encodeFrame = Encode()
    private var textBatch = TextBatch()
    var outputBatch = TextBatch()
    var frame = FrameBuffer(capacity: 4096)
    private var random = SystemRandomNumberGenerator()
    /// Tokenizers with a session, and those whose leases are just being told as lost.
    private var tokenizerPeers: [UInt64: PeerInfo] = [:]
    private var probes: [UInt64: CheckedContinuation<Bool, Never>] = [:]
    private var lastProbe: UInt64 = 0
    private var isDraining = false
    private var drained: [CheckedContinuation<Void, Never>] = []

    public init(
        _ configuration: IngestConfiguration, station: StationParts, ledger: consuming sending LedgerProducer,
        tenantOfKey: @escaping KeyCheck, log: Logger
    ) throws(TransportError) {
        self.configuration = configuration
        self.log = log
        self.ledger = ledger
        self.tenantOfKey = tenantOfKey
        reactor = station.reactor
        epoch = station.epoch
        clients = try UpperLink(
            station.context, bind: configuration.clientDoor, security: configuration.doorSecurity,
            dispatcher: Dispatcher(
                role: .ingest, epoch: station.epoch, name: configuration.name, settings: configuration.line,
                acceptedRoles: [.client], leases: false))
        var line = configuration.line
        line.waitingLimit = configuration.admission
        line.stepAgeLimit = nil
        tokenizers = try UpperLink(
            station.context, bind: configuration.tokenizerLink, security: configuration.lineSecurity,
            dispatcher: Dispatcher(
                role: .ingest, epoch: station.epoch, name: configuration.name, settings: line,
                acceptedRoles: [.tokenizer], leases: true))
        clientDoor = clients.endpoint
        tokenizerLink = tokenizers.endpoint
        dialling = Dialling(resolver: station.resolver)
    }

    /// Begins to listen and to dial.
    public func start() {
        clients.attach(to: reactor) { [weak self] in self?.assumeIsolated { $0.drainClients() } }
        tokenizers.attach(to: reactor) { [weak self] in self?.assumeIsolated { $0.drainTokenizers() } }
        ledger.attach(
            onReadable: { [weak self] link in self?.assumeIsolated { $0.ledger.drain(link, log: $0.log) } },
            onMonitor: { [weak self] link, event in
                self?.assumeIsolated { $0.ledger.links.handle(event, on: link, now: MonotonicClock.now()) }
            })
        reactor.setTick(every: 20_000_000) { [weak self] in self?.assumeIsolated { $0.tick() } }
        reactor.setTurnEnd { [weak self] in self?.assumeIsolated { $0.endTurn() } }
    }

    /// Takes no more requests and returns when all that were admitted have ended, or at the bound.
    public func drain(boundSeconds: Double) async {
        isDraining = true
        clients.dispatcher.drain()
        let bound = Task { [weak self] in
            try? await Task.sleep(for: .seconds(boundSeconds))
            if !Task.isCancelled { await self?.giveUp() }
        }
        defer { bound.cancel() }
        if requests.count > 0 { await withCheckedContinuation { drained.append($0) } }
        clients.dispatcher.close()
        tokenizers.dispatcher.close()
        endTurn()
        await ledger.finish(withinSeconds: 3, log: log)
        // Clients do not acknowledge: the last frames need a moment to leave the process.
        try? await Task.sleep(for: .milliseconds(200))
    }

    private func giveUp() {
        for key in requests.keys { conclude(key, finish: .failed, status: .draining, message: "The ingest stops.") }
        endTurn()
    }

    /// Models that the tokenizers serve, sorted.
    public var models: [String] { Set(tokenizers.dispatcher.allPeers.map(\.model)).sorted() }

    /// Sends a probe down the line; true when it came back in time.
    public func probe(seconds: Double) async -> Bool {
        let peers = tokenizers.dispatcher.allPeers
        guard !isDraining, !peers.isEmpty else { return false }
        lastProbe += 1
        let number = lastProbe
        for peer in peers { tokenizers.dispatcher.probe(number, to: peer.session.peer) }
        let bound = Task { [weak self] in
            try? await Task.sleep(for: .seconds(seconds))
            if !Task.isCancelled { await self?.answer(probe: number, false) }
        }
        defer { bound.cancel() }
        return await withCheckedContinuation { probes[number] = $0 }
    }

    private func answer(probe number: UInt64, _ isWell: Bool) {
        probes.removeValue(forKey: number)?.resume(returning: isWell)
    }

    // MARK: The ZeroMQ door

    private func drainClients() {
        do {
            try clients.drain { header, bytes, session, now throws(WireError) in
                switch header.kind {
                case .submit:
                    try submitFrame.decode(bytes, header: header)
                    take(submitFrame, from: session, now: now)
                case .cancel:
                    let handle = try Cancel(decoding: bytes, header: header).handle
                    if let work = outlets[session]?.works[handle] { cancel(work) }
                default: throw WireError(.unexpectedKind, offset: 3)
                }
            }
        } catch {
            log.error("ingest: cannot receive from clients", metadata: ["error": "\(error)"])
        }
    }

    private func take(_ submit: Submit, from session: SessionRef, now: UInt64) {
        guard let outlet = outlets[session] else { return }
        guard outlet.works[submit.handle] == nil else {
            return refuse(outlet, submit.handle, .conflict, "handle \(submit.handle) is in use")
        }
        guard let tenant = tenantOfKey(submit.key) else {
            return refuse(outlet, submit.handle, .unauthenticated, "no such API key")
        }
        if let problem = RequestCheck.problem(submit.body) {
            return refuse(outlet, submit.handle, .invalidRequest, problem)
        }
        var body = seeded(submit.body, hasSeed: submit.hasSeed)
        if body.model.isEmpty, let served = models.first { body.model = served }
        let request = IngestRequest(
            requestID: submit.requestID == .none ? makeID() : submit.requestID, tenant: tenant, body: body,
            client: .door(outlet, handle: submit.handle), streams: submit.streams, firstAttempt: firstAttempt,
            receivedAt: now)
        switch admit(request) {
        case .success(let work): outlet.works[submit.handle] = work
        case .failure(let refusal): refuse(outlet, submit.handle, refusal.status, refusal.message)
        }
    }

    private func refuse(_ outlet: ClientOutlet, _ handle: UInt32, _ status: Status, _ message: String) {
        outlet.refusals.append(ClientOutlet.Refusal(handle: handle, status: status, message: message))
        list(outlet)
    }

    // MARK: Admission

    /// Why a request was not admitted.
    struct Refusal: Error {
        var status: Status
        var message: String
    }

    func makeID() -> RequestID {
        RequestID(high: random.next() | 1, low: random.next())
    }

    func seeded(_ body: RequestBody, hasSeed: Bool) -> RequestBody {
        var body = body
        if !hasSeed { body.sampling.seed = random.next() }
        return body
    }

    /// Takes a request: reserved in the spool, and on its way or waiting.
    func admit(_ request: IngestRequest) -> Result<UInt64, Refusal> {
        guard !isDraining else {
            counters.refused += 1
            return .failure(Refusal(status: .draining, message: "This ingest is going; try another."))
        }
        guard heldBytes == 0 || heldBytes + request.promptBytes <= configuration.heldBytes else {
            counters.busy += 1
            return .failure(Refusal(status: .busy, message: Self.message(for: .busy, model: request.body.model)))
        }
        guard memory.begin(request.requestID, tenant: request.tenant) else {
            counters.refused += 1
            return .failure(
                Refusal(status: .conflict, message: "Request \(request.requestID) is in the works or done already."))
        }
        let work = requests.insert(request)
        request.work = work
        request.stamps.downBegun = MonotonicClock.now()
        request.waitingSince = request.stamps.downBegun
        let outcome = tokenizers.dispatcher.submit(work, model: request.body.model, now: request.stamps.downBegun)
        if case .refused(let status) = outcome {
            requests.remove(work)
            memory.withdraw(request.requestID, tenant: request.tenant)
            if status == .busy { counters.busy += 1 } else { counters.refused += 1 }
            return .failure(Refusal(status: status, message: Self.message(for: status, model: request.body.model)))
        }
        counters.admitted += 1
        heldBytes += request.promptBytes
        ledger.record(event(.reserve, request))
        return .success(work)
    }

    private static func message(for status: Status, model: String) -> String {
        switch status {
        case .busy: "Too many requests wait; retry later."
        case .unknownModel: "The model `\(model)` does not exist."
        default: "No tokenizer is there; retry later."
        }
    }

    func event(_ kind: EventKind, _ request: IngestRequest) -> LedgerEvent {
        LedgerEvent(
            kind: kind, requestID: request.requestID, ingestAttempt: request.attempt, producerRole: .ingest,
            producer: epoch, promptTokens: request.promptTokens, cachedTokens: request.cachedTokens,
            producedTokens: UInt32(clamping: request.generated.count), deliveredTokens: request.deliveredTokens,
            maximumTokens: request.body.limits.maximumTokens, wallTime: WallClock.now(), tenant: request.tenant,
            model: request.body.model, worker: configuration.name)
    }

    // MARK: To and from below

    private func dispatch(_ work: UInt64, to session: SessionRef, handle: UInt32) {
        guard let request = requests[work] else { return }
        encodeFrame.handle = handle
        encodeFrame.requestID = request.requestID
        encodeFrame.ingestAttempt = request.attempt
        encodeFrame.deliveredBytes = request.textBytes
        encodeFrame.tenant = request.tenant
        encodeFrame.body = request.body
        encodeFrame.generated = request.generated
        do throws(WireError) {
            try encodeFrame.encode(into: &frame, session: session.session)
        } catch {
            tokenizers.dispatcher.notSent(handle, in: session)
            return conclude(
                work, finish: .failed, status: .promptTooLong, message: "The prompt is too long for the line.")
        }
        tokenizers.send(&frame, to: session)
        request.stamps.downSent = MonotonicClock.now()
        request.waitingSince = 0
    }

    private func drainTokenizers() {
        do {
            try tokenizers.drain { header, bytes, session, now throws(WireError) in
                guard header.kind == .textBatch else {
                    throw WireError(.unexpectedKind, offset: 3)
                }
                try textBatch.decode(bytes, header: header)
                guard tokenizers.dispatcher.trayTaken(textBatch.tray, in: session) else { return }
                take(textBatch, from: session, now: now)
            }
        } catch {
            log.error("ingest: cannot receive from tokenizers", metadata: ["error": "\(error)"])
        }
    }

    private func take(_ batch: borrowing TextBatch, from session: SessionRef, now: UInt64) {
        var cursor = HopCursor()
        var token = 0
        var byte = 0
        for row in batch.rows {
            let tokens = batch.tokens[token..<token + Int(row.tokenCount)]
            let text = batch.text[byte..<byte + Int(row.textLength)]
            token = tokens.endIndex
            byte = text.endIndex
            guard let work = tokenizers.dispatcher.lease(of: row.handle, in: session) else { continue }
            if row.finish == .handedBack {
                tokenizers.dispatcher.handedBack(row.handle, in: session)
                continue
            }
            guard let request = requests[work] else {
                if row.finish != .none { tokenizers.dispatcher.finished(row.handle, in: session) }
                continue
            }
            take(row, tokens, text, batch.hops, &cursor, request, session, now: now)
        }
    }

    private func take(
        _ row: TextRow, _ tokens: ArraySlice<UInt32>, _ text: ArraySlice<UInt8>, _ hops: [HopRecord],
        _ cursor: inout HopCursor, _ request: IngestRequest, _ session: SessionRef, now: UInt64
    ) {
        let work = request.work
        if row.finish == .failed {
            tokenizers.dispatcher.finished(row.handle, in: session)
            return conclude(
                work, finish: .failed, status: row.status, message: String(decoding: text, as: UTF8.self))
        }
        guard Int(row.position) == request.generated.count else {
            counters.misplacedRows += 1
            // Its lease stands until here: with the session it is lost, and the request goes to another tokenizer.
            return tokenizers.dispatcher.violated(by: session.peer)
        }
        if row.finish != .none { tokenizers.dispatcher.finished(row.handle, in: session) }
        if row.promptTokens > 0 {
            request.promptTokens = row.promptTokens
            // A tokenizer that goes on with an answer does not know what was cached for its beginning.
            if request.generated.isEmpty || row.cachedTokens > 0 { request.cachedTokens = row.cachedTokens }
        }
        if request.stamps.firstReceived == 0, !tokens.isEmpty {
            request.stamps.firstReceived = now
            request.stamps.firstBegun = now
        }
        request.generated += tokens
        request.receivedInAttempt += UInt32(tokens.count)
        request.textBytes += UInt64(text.count)
        if row.finish == .none {
            deliver(request, tokens, text)
        } else {
            var own: [HopRecord] = []
            if request.body.wantsHops {
                let clock = tokenizers.dispatcher.clock(of: session)
                own = cursor.records(of: row.handle, in: hops).map { $0.told(by: clock) }
            }
            conclude(work, finish: row.finish, status: .ok, tokens: tokens, text: text, hops: own, receivedAt: now)
        }
    }

    private func lost(_ work: UInt64, by tokenizer: PeerInfo?, _ reason: LossReason) {
        guard let request = requests[work] else { return }
        if case .sessionEnded = reason {
            var event = event(.lostAttempt, request)
            event.outcome = .lost
            event.producer = tokenizer?.epoch ?? 0
            event.producedTokens = request.receivedInAttempt
            ledger.record(event)
        }
        if request.isCancelled { return conclude(work, finish: .cancelled, status: .ok) }
        let limit = request.body.limits.maximumTokens
        if limit > 0, request.generated.count >= Int(limit) { return conclude(work, finish: .length, status: .ok) }
        guard request.redispatches < Self.maximumRedispatches else {
            return conclude(
                work, finish: .failed, status: .unavailable,
                message: "Tokenizer after tokenizer was lost with this request.")
        }
        request.redispatches += 1
        request.waitingSince = MonotonicClock.now()
        request.receivedInAttempt = 0
        counters.redispatched += 1
        let outcome = tokenizers.dispatcher.submit(
            work, model: request.body.model, atFront: true, now: MonotonicClock.now())
        if case .refused(let status) = outcome {
            conclude(work, finish: .failed, status: status, message: "No tokenizer takes the request.")
        }
    }

    private static let maximumRedispatches: UInt16 = 15

    /// Where this boot's attempts begin. A client may ask again, with the same id, another ingest or this one after a
    /// restart: what the same worker records of both must not have one name.
    var firstAttempt: UInt16 { UInt16(truncatingIfNeeded: epoch) & ~Self.maximumRedispatches }

    /// The client asks for the end of a request, or has left.
    func cancel(_ work: UInt64) {
        guard let request = requests[work], !request.isCancelled else { return }
        request.isCancelled = true
        switch tokenizers.dispatcher.cancel(work) {
        case .removed: conclude(work, finish: .cancelled, status: .ok)
        case .passedOn: break
        // Its lease has just ended as lost; the action that says so ends it.
        case .unknown: break
        }
    }

    // MARK: Turns

    private func tick() {
        let now = MonotonicClock.now()
        mirrorMetrics(now)
        clients.dispatcher.tick(now)
        tokenizers.dispatcher.tick(now)
        endWaiting(now)
        ledger.tick(now, log: log)
        dialling.refresh(now: now, ledger.links, reactor: reactor) { [weak self] name, addresses in
            self?.assumeIsolated { $0.ledger.links.resolved(name, to: addresses) }
        }
    }

    /// Ends requests that no tokenizer took in time: their clients learn it while they still listen.
    private func endWaiting(_ now: UInt64) {
        let limit = configuration.waitingNanoseconds
        guard tokenizers.dispatcher.oldestWait(now: now) > limit else { return }
        for work in requests.keys {
            guard let since = requests[work]?.waitingSince, since > 0, now > since + limit else { continue }
            conclude(
                work, finish: .failed, status: .unavailable,
                message: "No tokenizer with a worker took the request in \(limit / 1_000_000_000) s; retry later.")
        }
    }

    private func endTurn() {
        // What was reserved stands in the spool before the work for it goes out.
        ledger.commit(log: log)
        performActions()
        // The events stand in the spool before the frames that they conclude go out.
        ledger.commit(log: log)
        flushOutlets()
        flushHTTP()
        performActions()
        ledger.flush(log: log)
        if isDraining, requests.count == 0 {
            for continuation in drained { continuation.resume() }
            drained = []
        }
    }

    private func performActions() {
        var isBusy = true
        while isBusy {
            isBusy = false
            tokenizers.perform { action in
                isBusy = true
                handle(action)
            }
            clients.perform { action in
                isBusy = true
                handleClient(action)
            }
        }
    }

    private func handle(_ action: Dispatcher.Action) {
        switch action {
        case .control: break
        case .dispatch(let work, let session, let handle): dispatch(work, to: session, handle: handle)
        case .lost(let work, let peer, let reason): lost(work, by: tokenizerPeers[peer], reason)
        case .peerUp(let peer):
            tokenizerPeers[peer.session.peer] = peer
            log.info("ingest: tokenizer joined", metadata: ["tokenizer": "\(peer.name)", "model": "\(peer.model)"])
            if clients.dispatcher.model.isEmpty { clients.dispatcher.model = peer.model }
        case .peerDown(let peer, let status):
            if tokenizerPeers[peer.session.peer]?.session == peer.session { tokenizerPeers[peer.session.peer] = nil }
            log.info("ingest: tokenizer left", metadata: ["tokenizer": "\(peer.name)", "reason": "\(status)"])
        case .probeReply(_, let number): answer(probe: number, true)
        }
    }

    private func handleClient(_ action: Dispatcher.Action) {
        switch action {
        case .peerUp(let peer): outlets[peer.session] = ClientOutlet(session: peer.session)
        case .peerDown(let peer, _):
            guard let outlet = outlets.removeValue(forKey: peer.session) else { return }
            outlet.tray.close()
            for work in outlet.works.values { cancel(work) }
        case .control, .dispatch, .lost, .probeReply: break
        }
    }
}

extension HopRecord {
    /// The same stamps on our own clock.
    func told(by clock: ClockOffset) -> HopRecord {
        var own = self
        own.receivedAt = clock.own(receivedAt)
        own.begunAt = clock.own(begunAt)
        own.sentAt = clock.own(sentAt)
        own.uncertainty = UInt16(clamping: UInt64(uncertainty) + (clock.uncertainty ?? 0) / 1000)
        return own
    }
}
