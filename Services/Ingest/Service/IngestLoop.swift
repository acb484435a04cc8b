import Dispatch
import Line
public import Logging
import OpenAIDoor
public import Station
import Tables
import Telemetry
public import Transport
import Wire

/// The ingest: admits requests of both doors, sends them to tokenizers, streams the answers back, states to the ledger
/// what was reserved and what was delivered.
///
/// Runs on its reactor's thread alone.
public actor IngestLoop: DiallingStation {
    public nonisolated let reactor: Reactor
    public nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.executor }
    /// Where clients dial, with the actual port.
    public nonisolated let clientDoor: Endpoint
    /// Where tokenizers dial, with the actual port.
    public nonisolated let tokenizerLink: Endpoint

    let configuration: IngestConfiguration
    public let log: Logger
    let epoch: UInt64
    public let ledger: LedgerProducer
    let clients: UpperLink
    let tokenizers: UpperLink
    public let dialling: Dialling
    let access: ClientAccess
    /// The keys' generation that sessions and requests were held against, and when they are next.
    var keyGeneration: UInt64 = 0
    var nextExpiryCheck: UInt64 = 0

    var requests = SlotTable<IngestRequest>()
    /// Bytes of their prompts.
    var heldBytes = 0
    var claims: [UInt64: PendingClaim] = [:]
    /// Makes the digests of long bodies, one after the other, so that one copy of a body is there at a time.
    let digests = DispatchQueue(label: "token-factory.digests")
    var lastClaim: UInt64 = 0
    /// Claims whose clients were told to come again, by number: a late grant of theirs is given back.
    var abandonedClaims: [UInt64: AbandonedClaim] = [:]
    /// Questions about tokens, by number.
    var questions: [UInt64: PendingTokens] = [:]
    var lastQuestion: UInt64 = 0
    /// When the next client's time is over, at the earliest.
    var nextDeadline: UInt64?
    var counters = IngestCounters()
    var mirror: MetricMirror?
    var outlets: [SessionRef: ClientOutlet] = [:]
    var dirty: [ClientOutlet] = []
    /// Works of the HTTP door by their streams' numbers.
    var httpWorks: [UInt64: UInt64] = [:]
    /// Ends that go to the HTTP door once they stand in the spool.
    var httpEnds: [HTTPEnd] = []
    /// Answers whose end waits for the client's socket, by their streams' numbers.
    var unread: [UInt64: UnreadAnswer] = [:]
    private var submitFrame = Submit()
    var encodeFrame = Encode()
    var textBatch = TextBatch()
    var outputBatch = TextBatch()
    var frame = FrameBuffer(capacity: 4096)
    private var random = EpochGenerator()
    /// Tokenizers with a session, and those whose leases are just being told as lost.
    var tokenizerPeers: [UInt64: PeerInfo] = [:]
    var probes: [UInt64: CheckedContinuation<Bool, Never>] = [:]
    private var lastProbe: UInt64 = 0
    var isDraining = false
    var drained: [CheckedContinuation<Void, Never>] = []

    public init(
        _ configuration: IngestConfiguration, station: StationParts, ledger: consuming sending LedgerProducer,
        access: ClientAccess, log: Logger
    ) throws(TransportError) {
        self.configuration = configuration
        self.log = log
        self.ledger = ledger
        self.access = access
        reactor = station.reactor
        epoch = station.epoch
        clients = try UpperLink(
            station.context, bind: configuration.clientDoor, options: configuration.doorSocket,
            guardedBy: configuration.doorGuard,
            dispatcher: Dispatcher(
                role: .ingest, epoch: station.epoch, name: configuration.name, settings: configuration.line,
                acceptedRoles: [.client], leases: false))
        var line = configuration.line
        line.waitingLimit = configuration.admission
        line.stepAgeLimit = nil
        tokenizers = try UpperLink(
            station.context, bind: configuration.tokenizerLink,
            options: SocketOptions(connections: configuration.tokenizerConnections), guardedBy: configuration.lineGuard,
            dispatcher: Dispatcher(
                role: .ingest, epoch: station.epoch, name: configuration.name, settings: line,
                acceptedRoles: [.tokenizer], leases: true))
        clients.dispatcher.outputWindow = UInt32(ClientWindow.bytes)
        clients.admits = { hello, publicKey in
            switch access.client(of: hello.key, publicKey: publicKey) {
            case .success: nil
            case .failure(let refused): refused.status
            }
        }
        clientDoor = clients.endpoint
        tokenizerLink = tokenizers.endpoint
        dialling = Dialling(resolver: station.resolver)
    }

    /// Begins to listen and to dial.
    public func start() {
        ledger.onClaimAnswer = { [weak self] answer in self?.assumeIsolated { $0.claimAnswered(answer) } }
        clients.attach(to: reactor) { [weak self] in self?.assumeIsolated { $0.drainClients() } }
        tokenizers.attach(to: reactor) { [weak self] in self?.assumeIsolated { $0.drainTokenizers() } }
        beginTurns()
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
        if requests.count > 0 || !unread.isEmpty { await withCheckedContinuation { drained.append($0) } }
        giveUpQuestions()
        clients.dispatcher.close()
        tokenizers.dispatcher.close()
        endTurn()
        await ledger.finish(withinSeconds: 3, log: log)
        // Clients do not acknowledge: the last frames need a moment to leave the process.
        try? await Task.sleep(for: .milliseconds(200))
    }

    private func giveUp() {
        for key in requests.keys { conclude(key, finish: .failed, status: .draining, message: "The ingest stops.") }
        endUnread(MonotonicClock.now(), all: true)
        endTurn()
        // Whoever has not read what went out gets no end.
        for key in requests.keys {
            if let request = requests[key] { leave(request) }
        }
        endTurn()
    }

    /// Models that the tokenizers serve, sorted.
    public var models: [String] { Set(tokenizers.dispatcher.allPeers.map(\.model)).sorted() }

    /// Whether a tokenizer is there.
    var hasTokenizers: Bool { tokenizers.dispatcher.peerCount > 0 }

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

    func answer(probe number: UInt64, _ isWell: Bool) {
        probes.removeValue(forKey: number)?.resume(returning: isWell)
    }

    // MARK: The ZeroMQ door

    private func drainClients() {
        do {
            try clients.drain { header, bytes, session, now throws(WireError) in
                switch header.kind {
                case .submit:
                    do throws(WireError) {
                        try submitFrame.decode(bytes, header: header)
                    } catch {
                        guard error.reason == .overLimit else { throw error }
                        return refuse(submitFrame.handle, over: error, from: session)
                    }
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
        guard !outlet.isInUse(submit.handle) else { return refuse(outlet, inUse: submit.handle) }
        let client: ClientAccess.Client
        switch submit.key.isEmpty ? .success(outlet.client) : access.client(of: submit.key) {
        case .success(let known): client = known
        case .failure(let refused): return refuse(outlet, submit.handle, refused.status, refused.message)
        }
        if let problem = RequestCheck.problem(submit) {
            return refuse(outlet, submit.handle, .invalidRequest, problem)
        }
        var body = seeded(submit.body, hasSeed: submit.hasSeed)
        if body.model.isEmpty, let served = models.first { body.model = served }
        // What clients of version 1 gave as the request's id.
        let label = submit.label.isEmpty && submit.requestID != .none ? "\(submit.requestID)" : submit.label
        let request = IngestRequest(
            requestID: makeID(), tenant: client.tenant, body: body, client: .door(outlet, handle: submit.handle),
            streams: submit.streams, firstAttempt: firstAttempt, receivedAt: now, label: label, grant: client.grant)
        if !submit.idempotencyKey.isEmpty {
            if let refusal = claim(request, key: submit.idempotencyKey, hasSeed: submit.hasSeed, now: now) {
                return refuse(outlet, submit.handle, refusal.status, refusal.message)
            }
            outlet.claiming.insert(submit.handle)
            return
        }
        switch admit(request) {
        case .success(let work): outlet.works[submit.handle] = work
        case .failure(let refusal): refuse(outlet, submit.handle, refusal.status, refusal.message)
        }
    }

    /// Answers a request of which a part is over its limit: the frame is whole as far as it was read.
    private func refuse(_ handle: UInt32, over limit: WireError, from session: SessionRef) {
        guard let outlet = outlets[session] else { return }
        counters.refused += 1
        guard !outlet.isInUse(handle) else { return refuse(outlet, inUse: handle) }
        refuse(
            outlet, handle, .invalidRequest,
            "the request has a part of \(limit.found), of which \(limit.needed) are the most")
    }

    private func refuse(_ outlet: ClientOutlet, inUse handle: UInt32) {
        refuse(outlet, handle, .conflict, "handle \(handle) is in use")
    }

    func refuse(_ outlet: ClientOutlet, _ handle: UInt32, _ status: Status, _ message: String) {
        outlet.refusals.append(ClientOutlet.Refusal(handle: handle, status: status, message: message))
        list(outlet)
    }

    // MARK: Admission

    /// Why a request was not admitted.
    struct Refusal: Error {
        var status: Status
        var message: String
        var retryAfterMilliseconds: UInt64 = 1000
    }

    func makeID() -> RequestID {
        RequestID(timeOrdered: WallClock.now() / 1_000_000, using: &random)
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
        guard ledger.failure == nil else { return .failure(unrecorded()) }
        guard heldBytes == 0 || heldBytes + request.heldBytes <= configuration.heldBytes else {
            counters.busy += 1
            return .failure(Refusal(status: .busy, message: Self.message(for: .busy, model: request.body.model)))
        }
        if let message = overflow(of: request.body, promptBytes: request.promptBytes) {
            counters.refused += 1
            return .failure(Refusal(status: .promptTooLong, message: message))
        }
        if let refusal = rateRefusal(of: request, now: MonotonicClock.now()) {
            counters.refused += 1
            return .failure(refusal)
        }
        var reserving = event(.reserve, request)
        reserving.label = request.label
        guard let place = ledger.makePlace(for: reserving, log: log) else {
            correctRate(of: request)
            return .failure(unrecorded())
        }
        let work = requests.insert(request)
        request.work = work
        request.stamps.downBegun = MonotonicClock.now()
        request.waitingSince = request.stamps.downBegun
        let outcome = tokenizers.dispatcher.submit(
            work, model: request.body.model, share: request.share, now: request.stamps.downBegun)
        if case .refused(let status) = outcome {
            requests.remove(work)
            ledger.drop(place)
            correctRate(of: request)
            if status == .busy { counters.busy += 1 } else { counters.refused += 1 }
            return .failure(Refusal(status: status, message: Self.message(for: status, model: request.body.model)))
        }
        counters.admitted += 1
        heldBytes += request.heldBytes
        if request.deadline > 0 { nextDeadline = min(nextDeadline ?? .max, request.deadline) }
        request.place = place
        ledger.record(reserving, beginning: place)
        return .success(work)
    }

    private func unrecorded() -> Refusal {
        counters.refused += 1
        return Refusal(status: .unavailable, message: "This ingest cannot record requests now; retry later.")
    }

    /// Why a prompt cannot fit the context of any tokenizer's workers, where that is certain before it is tokenized.
    func overflow(of body: RequestBody, promptBytes: Int) -> String? {
        guard promptBytes >= Self.certainlySmall else { return nil }
        var most: (tokens: Int, context: Int)?
        for peer in tokenizers.dispatcher.allPeers where body.model.isEmpty || peer.model == body.model {
            let isText = body.form != .tokens
            guard peer.contextLength > 0, !isText || peer.longestToken > 0 else { return nil }
            let context = Int(peer.contextLength)
            let fewest =
                isText ? promptBytes / Int(peer.longestToken) : body.tokens.count
            guard fewest > context else { return nil }
            if context > most?.context ?? 0 { most = (fewest, context) }
        }
        return most.map {
            "This model's maximum context length is \($0.context) tokens. However, your prompt has at least "
                + "\($0.tokens) tokens. Please reduce the length of the prompt."
        }
    }

    /// Bytes of a prompt that fits any context worth looking at.
    private static var certainlySmall: Int { 4096 }

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
}
