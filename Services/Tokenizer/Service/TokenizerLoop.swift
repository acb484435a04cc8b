import Line
import Llama
public import Logging
import Spool
public import Station
import Telemetry
public import Tokenization
public import Transport
import Wire

/// The tokenizer: requests come from ingests, are encoded, go to the worker with the most room, and come back as text.
///
/// Runs on its reactor's thread alone; prompts are encoded in a pool and posted back.
public actor TokenizerLoop {
    public nonisolated let reactor: Reactor
    public nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.executor }
    /// Where workers dial, with the actual port.
    public nonisolated let workerLink: Endpoint

    let configuration: TokenizerConfiguration
    let log: Logger
    let epoch: UInt64
    let table: TokenTable
    let pool: EncodePool
    let ledger: LedgerProducer
    let ingests: LowerLinks
    let workers: UpperLink
    let dialling: Dialling

    var streams = SlotTable<AnswerStream>()
    /// Streams by the key of the line above.
    var streamByUpperWork = KeyedSlots<UInt64>()
    var trays: [UInt32: RowTray<AnswerStream>] = [:]
    var counters = TokenizerCounters()
    var mirror: MetricMirror?
    /// Bytes of text that this turn may still encode itself: a lone short prompt is not worth a change of threads, a
    /// burst of them is for the pool.
    private var affordableBytes = TokenizerLoop.bytesPerTurn
    private static let bytesPerTurn = 512
    private var encodeFrame = Encode()
    private var generateFrame = Generate()
    private var tokenBatch = TokenBatch()
    var textBatch = TextBatch()
    var frame = FrameBuffer(capacity: 4096)
    /// Works whose last row is in the tray that is being sent: their slots are free once it is.
    var ended: [UInt64] = []
    /// Workers with a session, and those whose leases are just being told as lost.
    private var workerPeers: [UInt64: PeerInfo] = [:]
    private var probes: [UInt64: (link: UInt32, number: UInt64)] = [:]
    private var lastProbe: UInt64 = 0
    private var drained: [CheckedContinuation<Void, Never>] = []
    private var isDrained = false
    /// That of the worker which joined last: what requests are held against while none is there.
    private var lastContextLength = 0

    /// - Parameters:
    ///   - station: reactor, context, epoch and what else every station has.
    ///   - encoder: Encodes prompts; used on the pool's threads.
    public init(
        _ configuration: TokenizerConfiguration, station: StationParts, encoder: PromptEncoder, table: TokenTable,
        ledger: consuming sending LedgerProducer, log: Logger, wallSeconds: @escaping @Sendable () -> Int64
    ) throws(TransportError) {
        self.configuration = configuration
        self.log = log
        self.table = table
        self.ledger = ledger
        reactor = station.reactor
        epoch = station.epoch
        let reactor = station.reactor
        pool = EncodePool(
            encoder: encoder, limits: EncodePool.Limits(threads: configuration.encodeThreads), now: wallSeconds,
            post: { reactor.post($0) })
        var line = configuration.line
        line.waitingLimit = .max
        workers = try UpperLink(
            station.context, bind: configuration.workerLink, security: configuration.upperSecurity,
            dispatcher: Dispatcher(
                role: .tokenizer, epoch: station.epoch, name: configuration.name, settings: line,
                acceptedRoles: [.inferenceWorker], leases: true))
        workers.dispatcher.model = configuration.modelName
        var patient = configuration.line
        patient.stepAgeLimit = nil
        ingests = LowerLinks(
            station.context, reactor: station.reactor, targets: configuration.ingests,
            security: configuration.lowerSecurity,
            side: DialSide(
                role: .tokenizer, epoch: station.epoch, name: configuration.name, model: configuration.modelName,
                settings: patient))
        workerLink = workers.endpoint
        dialling = Dialling(resolver: station.resolver)
    }

    /// Begins to listen and to dial.
    public func start() {
        workers.attach(to: reactor) { [weak self] in self?.assumeIsolated { $0.drainWorkers() } }
        ingests.attach(
            onReadable: { [weak self] link in self?.assumeIsolated { $0.drainIngest(link) } },
            onMonitor: { [weak self] link, event in
                self?.assumeIsolated { $0.ingests.handle(event, on: link, now: MonotonicClock.now()) }
            })
        ledger.attach(
            onReadable: { [weak self] link in self?.assumeIsolated { $0.ledger.drain(link, log: $0.log) } },
            onMonitor: { [weak self] link, event in
                self?.assumeIsolated { $0.ledger.links.handle(event, on: link, now: MonotonicClock.now()) }
            })
        reactor.setTick(every: 20_000_000) { [weak self] in self?.assumeIsolated { $0.tick() } }
        reactor.setTurnEnd { [weak self] in self?.assumeIsolated { $0.endTurn() } }
    }

    /// Gives notice upward, finishes what is held, and returns when nothing is, or at the bound, having handed back the
    /// rest.
    public func drain(boundSeconds: Double) async {
        ingests.side.drain(now: MonotonicClock.now())
        endTurn()
        let bound = Task { [weak self] in
            try? await Task.sleep(for: .seconds(boundSeconds))
            if Task.isCancelled { return }
            await self?.handBack()
            // The session's end tells the same, later, if those above do not take the rows.
            try? await Task.sleep(for: .seconds(2))
            if !Task.isCancelled { await self?.resumeDrained() }
        }
        defer { bound.cancel() }
        if !isDrained { await withCheckedContinuation { drained.append($0) } }
        await ledger.finish(withinSeconds: 3, log: log)
    }

    private func handBack() {
        for key in streams.keys {
            guard let stream = streams[key], !stream.isAnswered else { continue }
            answer(key, stream, finish: .handedBack, status: .draining)
            cancelBelow(key)
        }
        endTurn()
    }

    private func resumeDrained() {
        isDrained = true
        for continuation in drained { continuation.resume() }
        drained = []
    }

    // MARK: From above

    private func drainIngest(_ link: UInt32) {
        do {
            try ingests.drain(link) { header, bytes, link, now throws(WireError) in
                guard header.kind == .encode else {
                    throw WireError(.unexpectedKind, offset: 3)
                }
                try encodeFrame.decode(bytes, header: header)
                take(encodeFrame, on: link, now: now)
            }
        } catch {
            log.error("tokenizer: cannot receive from ingest", metadata: ["error": "\(error)"])
        }
    }

    private func take(_ encode: Encode, on link: UInt32, now: UInt64) {
        guard let tray = trays[link],
            case .accepted(let work) = ingests.side.accept(encode.handle, on: link, now: now)
        else { return }
        counters.requests += 1
        let stream = AnswerStream(
            encode, work: work, tray: tray,
            model: encode.body.model.isEmpty ? configuration.modelName : encode.body.model, receivedAt: now)
        stream.stamps.downBegun = MonotonicClock.now()
        let key = streams.insert(stream)
        streamByUpperWork[work] = key
        guard stream.model == configuration.modelName else {
            return fail(key, stream, .unknownModel, "The model \(encode.body.model) is not served here.")
        }
        let prompt: Prompt
        switch encode.body.form {
        case .chat:
            guard encode.body.strings.count.isMultiple(of: 2) else {
                return fail(key, stream, .invalidRequest, "A chat is pairs of role and content.")
            }
            prompt = .chat(
                stride(from: 0, to: encode.body.strings.count, by: 2).map {
                    ChatMessage(role: encode.body.strings[$0], content: encode.body.strings[$0 + 1])
                })
        case .text: prompt = .text(encode.body.strings.first ?? "")
        case .tokens: prompt = .tokens(encode.body.tokens)
        }
        if let result = pool.encodeAtOnce(prompt, upTo: affordableBytes) {
            if encode.body.form != .tokens { affordableBytes -= prompt.byteCount }
            return encoded(key, result)
        }
        let ticket = pool.submit(prompt) { [weak self] result in
            self?.assumeIsolated { $0.encoded(key, result) }
        }
        guard let ticket else { return fail(key, stream, .busy, "The tokenizer's queue is full.") }
        stream.state = .encoding(ticket)
    }

    private func encoded(_ key: UInt64, _ result: Result<[UInt32], PromptError>) {
        guard let stream = streams[key], case .encoding = stream.state else { return }
        switch result {
        case .failure(let error):
            fail(key, stream, error.isTheRequestsFault ? .invalidRequest : .engineFailed, error.description)
        case .success(let prompt):
            counters.promptTokens += UInt64(prompt.count)
            if let reason = fit(stream, prompt) { return fail(key, stream, .promptTooLong, reason) }
            do throws(AnswerError) {
                if !stream.generated.isEmpty {
                    stream.answer = try AnswerAssembler(
                        stops: stream.stops, minimumTokens: Int(stream.limits.minimumTokens),
                        resuming: stream.generated, deliveredBytes: stream.deliveredBytes, table: table)
                }
            } catch {
                return fail(key, stream, .invalidRequest, "The answer cannot be continued: \(error)")
            }
            stream.state = .generating
            generate(key, atFront: !stream.generated.isEmpty)
        }
    }

    /// Keeps the prompt and bounds the answer by the context; the reason when they do not fit.
    private func fit(_ stream: AnswerStream, _ prompt: [UInt32]) -> String? {
        let context = workers.dispatcher.largestContext.map { Int($0) } ?? lastContextLength
        stream.prompt = prompt
        guard context > 0 else { return nil }
        let wanted = prompt.count + max(1, Int(stream.limits.maximumTokens))
        guard wanted <= context else {
            return "The model's context holds \(context) tokens; this request asks for \(wanted) "
                + "(\(prompt.count) of prompt, \(max(1, stream.limits.maximumTokens)) of answer)."
        }
        if stream.limits.maximumTokens == 0 {
            stream.limits.maximumTokens = UInt32(context - prompt.count)
        }
        return nil
    }

    /// Sends a stream to a worker, or ends it when nothing is left to make.
    func generate(_ key: UInt64, atFront: Bool) {
        guard let stream = streams[key] else { return }
        if stream.isCancelled { return answer(key, stream, finish: .cancelled) }
        if stream.answer.isStopped { return answer(key, stream, finish: .stop) }
        if stream.limits.maximumTokens > 0, stream.remaining <= 0 { return answer(key, stream, finish: .length) }
        let outcome = workers.dispatcher.submit(
            key, affinity: stream.affinity, atFront: atFront, now: MonotonicClock.now())
        if case .refused(let status) = outcome { fail(key, stream, status, "No worker takes requests now.") }
    }

    // MARK: To and from below

    private func dispatch(_ key: UInt64, to session: SessionRef, handle: UInt32) {
        guard let stream = streams[key] else { return }
        generateFrame.handle = handle
        generateFrame.requestID = stream.requestID
        generateFrame.ingestAttempt = stream.ingestAttempt
        generateFrame.tokenizerAttempt = stream.attempt
        generateFrame.generatedCount = UInt32(stream.generated.count)
        generateFrame.sampling = stream.sampling
        generateFrame.limits = stream.limits
        generateFrame.wantsHops = stream.wantsHops
        generateFrame.tenant = stream.tenant
        generateFrame.model = stream.model
        generateFrame.tokens.removeAll(keepingCapacity: true)
        generateFrame.tokens += stream.prompt
        generateFrame.tokens += stream.generated
        generateFrame.digest = TokenDigest.of(generateFrame.tokens)
        do throws(WireError) {
            try generateFrame.encode(into: &frame, session: session.session)
        } catch {
            log.error("tokenizer: request does not fit a frame", metadata: ["error": "\(error)"])
            workers.dispatcher.notSent(handle, in: session)
            return fail(key, stream, .promptTooLong, "The prompt is too long for the line.")
        }
        workers.send(&frame, to: session)
        stream.digest = generateFrame.digest
        stream.hasFirstRow = false
        stream.receivedInAttempt = 0
        stream.stamps.downSent = MonotonicClock.now()
    }

    private func drainWorkers() {
        do {
            try workers.drain { header, bytes, session, now throws(WireError) in
                guard header.kind == .tokenBatch else {
                    throw WireError(.unexpectedKind, offset: 3)
                }
                try tokenBatch.decode(bytes, header: header)
                guard workers.dispatcher.trayTaken(tokenBatch.tray, in: session) else { return }
                take(tokenBatch, from: session, now: now)
            }
        } catch {
            log.error("tokenizer: cannot receive from workers", metadata: ["error": "\(error)"])
        }
    }

    private func take(_ batch: borrowing TokenBatch, from session: SessionRef, now: UInt64) {
        var cursor = HopCursor()
        var offset = 0
        for row in batch.rows {
            let end = offset + Int(row.tokenCount)
            take(row, batch.tokens[offset..<end], batch.hops, &cursor, from: session, now: now)
            offset = end
        }
    }

    private func take(
        _ row: TokenRow, _ tokens: ArraySlice<UInt32>, _ hops: [HopRecord], _ cursor: inout HopCursor,
        from session: SessionRef, now: UInt64
    ) {
        guard let key = workers.dispatcher.lease(of: row.handle, in: session) else { return }
        counters.tokens += UInt64(tokens.count)
        guard let stream = streams[key] else {
            if row.finish != .none { workers.dispatcher.finished(row.handle, in: session) }
            return
        }
        if row.finish == .handedBack {
            workers.dispatcher.handedBack(row.handle, in: session)
            return
        }
        if stream.isAnswered {
            if row.finish != .none {
                workers.dispatcher.finished(row.handle, in: session)
                streams.remove(key)
            }
            return
        }
        if !stream.hasFirstRow, row.finish != .failed, row.finish != .cancelled, row.digest != stream.digest {
            counters.digestMismatches += 1
            log.error(
                "tokenizer: a worker answered another prompt", metadata: ["request": "\(stream.requestID)"])
            fail(key, stream, .digestMismatch, "The answer did not belong to the prompt.")
            if row.finish == .none {
                _ = workers.dispatcher.cancel(key)
            } else {
                workers.dispatcher.finished(row.handle, in: session)
                streams.remove(key)
            }
            return
        }
        guard Int(row.position) == stream.generated.count || tokens.isEmpty else {
            counters.misplacedRows += 1
            // Its lease stands until here: with the session it is lost, and the request goes to another worker.
            return workers.dispatcher.violated(by: session.peer)
        }
        if row.finish != .none { workers.dispatcher.finished(row.handle, in: session) }
        guard row.finish != .failed else {
            return fail(key, stream, row.status == .ok ? .engineFailed : row.status, Self.text(of: row.status))
        }
        deliver(row, tokens, hops, &cursor, stream, key: key, from: session, now: now)
    }

    private static func text(of status: Status) -> String {
        switch status {
        case .promptTooLong: "The prompt does not fit the model's context."
        case .busy: "The worker is full."
        case .invalidRequest: "The prompt is empty, or has a token that the model does not know."
        default: "The engine failed."
        }
    }

    private func lost(_ key: UInt64, by worker: PeerInfo?, _ reason: LossReason) {
        guard let stream = streams[key] else { return }
        if case .sessionEnded = reason {
            counters.lostAttempts += 1
            ledger.record(
                LedgerEvent(
                    kind: .lostAttempt, requestID: stream.requestID, ingestAttempt: stream.ingestAttempt,
                    tokenizerAttempt: stream.attempt, producerRole: .tokenizer, producer: worker?.epoch ?? 0,
                    outcome: .lost,
                    promptTokens: UInt32(stream.prompt.count), cachedTokens: stream.cachedTokens,
                    producedTokens: stream.receivedInAttempt, wallTime: WallClock.now(), tenant: stream.tenant,
                    model: stream.model, worker: worker?.name ?? ""))
        }
        if stream.isAnswered {
            streams.remove(key)
            return
        }
        guard stream.attempt < Self.maximumAttempts else {
            return fail(key, stream, .unavailable, "Worker after worker was lost with this request.")
        }
        stream.attempt += 1
        generate(key, atFront: true)
    }

    private static let maximumAttempts: UInt16 = 4

    /// Ends the worker's part of a stream that needs no more of it.
    func cancelBelow(_ key: UInt64) {
        switch workers.dispatcher.cancel(key) {
        case .removed, .unknown: streams.remove(key)
        case .passedOn: break
        }
    }

    // MARK: Turns

    private func tick() {
        let now = MonotonicClock.now()
        mirrorMetrics(now)
        workers.dispatcher.tick(now)
        ingests.side.tick(now)
        ledger.tick(now, log: log)
        dialling.refresh(now: now, ingests, reactor: reactor) { [weak self] name, addresses in
            self?.assumeIsolated { $0.ingests.resolved(name, to: addresses) }
        }
        dialling.refresh(now: now, ledger.links, reactor: reactor) { [weak self] name, addresses in
            self?.assumeIsolated { $0.ledger.links.resolved(name, to: addresses) }
        }
    }

    private func endTurn() {
        affordableBytes = Self.bytesPerTurn
        performActions()
        updateSlots()
        ledger.commit(log: log)
        flushTrays()
        performActions()
        ledger.flush(log: log)
    }

    private func performActions() {
        var isBusy = true
        while isBusy {
            isBusy = false
            workers.perform { action in
                isBusy = true
                handle(action)
            }
            ingests.perform { action in
                isBusy = true
                handle(action)
            }
        }
    }

    private func handle(_ action: Dispatcher.Action) {
        switch action {
        case .control: break
        case .dispatch(let work, let session, let handle): dispatch(work, to: session, handle: handle)
        case .lost(let work, let peer, let reason):
            lost(work, by: workerPeers[peer], reason)
        case .peerUp(let peer):
            workerPeers[peer.session.peer] = peer
            lastContextLength = Int(peer.contextLength)
            log.info("tokenizer: worker joined", metadata: ["worker": "\(peer.name)", "slots": "\(peer.slots)"])
        case .peerDown(let peer, let status):
            if workerPeers[peer.session.peer]?.session == peer.session { workerPeers[peer.session.peer] = nil }
            log.info("tokenizer: worker left", metadata: ["worker": "\(peer.name)", "reason": "\(status)"])
        case .probeReply(_, let number):
            if let probe = probes.removeValue(forKey: number) { ingests.side.probeReply(probe.number, on: probe.link) }
        }
    }

    private func handle(_ action: DialSide.Action) {
        switch action {
        case .control, .reconnect, .windowOpened: break
        case .cancel(let work): cancel(work)
        case .sessionBegan(let link, let welcome):
            log.info("tokenizer: joined", metadata: ["ingest": "\(welcome.name)"])
            trays[link] = RowTray(link: link, session: welcome.session)
        case .sessionEnded(let link, _, let status, let works):
            log.info("tokenizer: session ended", metadata: ["reason": "\(status)", "requests": "\(works.count)"])
            trays.removeValue(forKey: link)?.close()
            for work in works { abandon(work) }
        case .refused(_, let status):
            log.warning("tokenizer: ingest refuses", metadata: ["reason": "\(status)"])
        case .probe(let link, let number): probe(link, number)
        case .drained: resumeDrained()
        }
    }

    private func probe(_ link: UInt32, _ number: UInt64) {
        // Unanswered ones are forgotten: whoever asked has given up by then.
        if probes.count > 1024 { probes = [:] }
        for peer in workers.dispatcher.allPeers {
            lastProbe += 1
            probes[lastProbe] = (link, number)
            workers.dispatcher.probe(lastProbe, to: peer.session.peer)
        }
    }

    private func cancel(_ work: UInt64) {
        guard let key = streamByUpperWork[work], let stream = streams[key] else { return }
        counters.cancels += 1
        stream.isCancelled = true
        if case .encoding(let ticket) = stream.state {
            if let ticket { pool.cancel(ticket) }
            answer(key, stream, finish: .cancelled)
            streams.remove(key)
            return
        }
        if workers.dispatcher.cancel(key) == .removed {
            answer(key, stream, finish: .cancelled)
            streams.remove(key)
        }
    }

    /// The session of this work has ended: nobody waits for it any more.
    private func abandon(_ work: UInt64) {
        ingests.side.ended(work)
        guard let key = streamByUpperWork[work], let stream = streams[key] else { return }
        streamByUpperWork[work] = nil
        if case .encoding(let ticket) = stream.state {
            if let ticket { pool.cancel(ticket) }
            streams.remove(key)
            return
        }
        stream.state = .answered
        cancelBelow(key)
    }

    /// Room above follows room below, so that requests wait at ingest and nowhere else.
    private func updateSlots() {
        let slots = workers.dispatcher.peerCount == 0 ? 0 : UInt32(clamping: workers.dispatcher.room + configuration.lookahead)
        if slots != ingests.side.slots { ingests.side.setSlots(slots) }
    }

    /// Whether a worker is there.
    public var isReady: Bool { workers.dispatcher.peerCount > 0 && ingests.side.sessionCount > 0 }
}
