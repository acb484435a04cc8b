import Dispatch
import Line
import Llama
public import Logging
import Spool
public import Station
import Tables
import Telemetry
public import Tokenization
public import Transport
import Wire

/// The tokenizer: requests come from ingests, are encoded, go to the worker with the most room, and come back as text.
///
/// Runs on its reactor's thread alone; prompts are encoded in a pool and posted back.
public actor TokenizerLoop: DiallingStation {
    public nonisolated let reactor: Reactor
    public nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.executor }
    /// Where workers dial, with the actual port.
    public nonisolated let workerLink: Endpoint

    let configuration: TokenizerConfiguration
    public let log: Logger
    let epoch: UInt64
    let encoder: PromptEncoder
    let table: TokenTable
    let pool: EncodePool
    public let ledger: LedgerProducer
    let ingests: LowerLinks
    let workers: UpperLink
    public let dialling: Dialling
    /// Looks up the texts of tokens, which takes a while where there are many.
    let pieceThread = DispatchQueue(label: "token-factory.pieces")

    var streams = SlotTable<AnswerStream>()
    /// Streams by the key of the line above.
    var streamByUpperWork = KeyedSlots<UInt64>()
    var trays: [UInt32: RowTray<AnswerStream>] = [:]
    var counters = TokenizerCounters()
    var mirror: MetricMirror?
    /// Bytes of text that this turn may still encode itself: a lone short prompt is not worth a change of threads, a
    /// burst of them is for the pool.
    var affordableBytes = TokenizerLoop.bytesPerTurn
    static let bytesPerTurn = 512
    private var encodeFrame = Encode()
    var generateFrame = Generate()
    var tokenBatch = TokenBatch()
    var textBatch = TextBatch()
    var frame = FrameBuffer(capacity: 4096)
    /// Workers with a session, and those whose leases are just being told as lost.
    var workerPeers: [UInt64: PeerInfo] = [:]
    var probes: [UInt64: (link: UInt32, number: UInt64)] = [:]
    var lastProbe: UInt64 = 0
    private var drained: [CheckedContinuation<Void, Never>] = []
    private var isDrained = false
    /// That of the worker which joined last: what requests are held against while none is there.
    var lastContextLength = 0
    /// No stream that is to be answered has an earlier deadline.
    var nextDeadline = UInt64.max

    /// - Parameters:
    ///   - station: reactor, context, epoch and what else every station has.
    ///   - encoder: Encodes prompts; used on the pool's threads.
    public init(
        _ configuration: TokenizerConfiguration, station: StationParts, encoder: PromptEncoder, table: TokenTable,
        ledger: consuming sending LedgerProducer, log: Logger, wallSeconds: @escaping @Sendable () -> Int64
    ) throws(TransportError) {
        self.configuration = configuration
        self.log = log
        self.encoder = encoder
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
            station.context, bind: configuration.workerLink,
            options: SocketOptions(connections: configuration.workerConnections), guardedBy: configuration.workerGuard,
            dispatcher: Dispatcher(
                role: .tokenizer, epoch: station.epoch, name: configuration.name, settings: line,
                acceptedRoles: [.inferenceWorker], leases: true))
        workers.dispatcher.model = configuration.modelName
        var patient = configuration.line
        patient.stepAgeLimit = nil
        ingests = LowerLinks(
            station.context, reactor: station.reactor, targets: configuration.ingests,
            credentials: configuration.credentials,
            side: DialSide(
                role: .tokenizer, epoch: station.epoch, name: configuration.name, model: configuration.modelName,
                settings: patient))
        ingests.side.longestToken = UInt32(clamping: table.longest)
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
        beginTurns()
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

    func resumeDrained() {
        isDrained = true
        for continuation in drained { continuation.resume() }
        drained = []
    }

    /// Whether a worker is there.
    public var isReady: Bool { workers.dispatcher.peerCount > 0 && ingests.side.sessionCount > 0 }

    // MARK: From above

    func drainIngest(_ link: UInt32) {
        do {
            try ingests.drain(link) { header, bytes, link, now throws(WireError) in
                switch header.kind {
                case .encode:
                    try encodeFrame.decode(bytes, header: header)
                    take(encodeFrame, on: link, now: now)
                case .tokenize: take(try Tokenize(decoding: bytes, header: header), on: link, now: now)
                default: throw WireError(.unexpectedKind, offset: 3)
                }
            }
        } catch {
            log.error("tokenizer: cannot receive from ingest", metadata: ["error": "\(error)"])
        }
    }

    private func take(_ encode: Encode, on link: UInt32, now: UInt64) {
        // Credit is granted after the session's beginning was handled: whoever keeps to it finds a tray here.
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
        nextDeadline = min(nextDeadline, stream.deadline)
        guard stream.model == configuration.modelName else {
            return fail(key, stream, .unknownModel, "The model \(encode.body.model) is not served here.")
        }
        let body = encode.body
        guard let prompt = Prompt(body.form, body.strings, body.tokens, body.template) else {
            return fail(key, stream, .invalidRequest, "A chat is pairs of role and content.")
        }
        let context = contextLength
        if let fewest = fewestTokens(of: prompt), context > 0, fewest >= context {
            let isCounted = if case .tokens = prompt { true } else { false }
            return fail(
                key, stream, .promptTooLong,
                isCounted
                    ? Self.overflow(context: context, tokens: fewest)
                    : Self.overflow(context: context, atLeast: fewest))
        }
        if let result = pool.encodeAtOnce(prompt, upTo: affordableBytes) {
            affordableBytes -= prompt.cost
            return encoded(key, result)
        }
        let ticket = pool.submit(
            prompt,
            share: stream.encodeShare,
            tokenLimit: context > 0 ? context : .max
        ) { [weak self] result in
            self?.assumeIsolated { $0.encoded(key, result) }
        }
        guard let ticket else { return fail(key, stream, .busy, "The tokenizer's queue is full.") }
        stream.state = .encoding(ticket)
    }

    private func encoded(_ key: UInt64, _ result: Result<[UInt32], PromptError>) {
        guard let stream = streams[key], case .encoding = stream.state else { return }
        switch result {
        case .failure(.tooManyTokens(let fewest)):
            fail(key, stream, .promptTooLong, Self.overflow(context: contextLength, atLeast: fewest))
        case .failure(let error):
            fail(key, stream, error.isTheRequestsFault ? .invalidRequest : .engineFailed, error.description)
        case .success(let prompt):
            counters.promptTokens += UInt64(prompt.count)
            if let bias = stream.options.logitBias.first(where: { $0.token >= table.count }) {
                return fail(
                    key, stream, .invalidRequest,
                    "logit_bias has the token id \(bias.token), but the model's vocabulary has \(table.count) tokens.")
            }
            if let reason = fit(stream, prompt) { return fail(key, stream, .promptTooLong, reason) }
            guard stream.generated.isEmpty else { return resume(key, stream) }
            stream.state = .generating
            generate(key, atFront: false)
        }
    }

    /// Takes up the answer that another tokenizer began; in the pool where it is long.
    private func resume(_ key: UInt64, _ stream: AnswerStream) {
        var steps = AnswerResumption(
            of: stream.answer, generated: stream.generated, deliveredBytes: stream.deliveredBytes, table: table)
        guard steps.cost > affordableBytes else {
            affordableBytes -= steps.cost
            return resumed(key, steps.run())
        }
        let byteCount = stream.generated.count * MemoryLayout<UInt32>.size
        let ticket = pool.submit(steps, byteCount: byteCount, share: stream.encodeShare) { [weak self] result in
            self?.assumeIsolated { $0.resumed(key, result) }
        }
        guard let ticket else { return fail(key, stream, .busy, "The tokenizer's queue is full.") }
        stream.state = .encoding(ticket)
    }

    private func resumed(_ key: UInt64, _ result: Result<AnswerAssembler, AnswerError>) {
        guard let stream = streams[key], case .encoding = stream.state else { return }
        switch result {
        case .failure(let error):
            fail(key, stream, .invalidRequest, "The answer cannot be continued: \(error)")
        case .success(let answer):
            stream.answer = answer
            stream.state = .generating
            generate(key, atFront: true)
        }
    }

    /// The longest that any worker has, or that of the one which left last; 0 while none is known.
    private var contextLength: Int { workers.dispatcher.largestContext.map { Int($0) } ?? lastContextLength }

    /// How many tokens a prompt has at least, as far as its size tells; nil where it does not.
    private func fewestTokens(of prompt: Prompt) -> Int? {
        if case .tokens(let ids) = prompt { return ids.count }
        return table.longest > 0 ? prompt.byteCount / table.longest : nil
    }

    /// Keeps the prompt and bounds the answer by what the context has left; the reason when not even the prompt fits.
    private func fit(_ stream: AnswerStream, _ prompt: [UInt32]) -> String? {
        let context = contextLength
        stream.prompt = prompt
        guard context > 0 else { return nil }
        guard prompt.count < context else { return Self.overflow(context: context, tokens: prompt.count) }
        let room = UInt32(clamping: context - prompt.count)
        let wanted = stream.limits.maximumTokens
        stream.limits.maximumTokens = wanted == 0 ? room : min(wanted, room)
        return nil
    }

    /// In OpenAI's words, by which clients know that they have to shorten the prompt.
    static func overflow(context: Int, tokens: Int) -> String {
        "This model's maximum context length is \(context) tokens. However, your messages resulted in \(tokens) tokens. "
            + "Please reduce the length of the messages."
    }

    /// The same where the prompt was not read to its end.
    private static func overflow(context: Int, atLeast tokens: Int) -> String {
        "This model's maximum context length is \(context) tokens. However, your messages resulted in at least "
            + "\(tokens) tokens. Please reduce the length of the messages."
    }

    /// Sends a stream to a worker, or ends it when nothing is left to make.
    func generate(_ key: UInt64, atFront: Bool) {
        guard let stream = streams[key] else { return }
        if stream.isCancelled { return answer(key, stream, finish: .cancelled) }
        guard MonotonicClock.now() < stream.deadline else { return failOverdue(key, stream) }
        if stream.answer.isStopped { return answer(key, stream, finish: .stop) }
        if stream.limits.maximumTokens > 0, stream.remaining <= 0 { return answer(key, stream, finish: .length) }
        let outcome = workers.dispatcher.submit(
            key, affinity: stream.affinity,
            share: TenantShare(
                tenant: stream.tenant, stream.options, cost: stream.prompt.count + max(0, stream.remaining)),
            atFront: atFront, now: MonotonicClock.now())
        if case .refused(let status) = outcome { fail(key, stream, status, "No worker takes requests now.") }
    }
}
