public import Line
import Ledger
public import Logging
public import Station
import Telemetry
public import Transport
import Wire

/// What accounting needs to run.
public struct AccountingConfiguration: Sendable {
    public var name: String
    /// Where producers dial.
    public var ledgerLink: Endpoint
    public var line: LineSettings
    /// Who may dial the ledger link, where it is reached over TCP; nil for a plain link.
    public var linkGuard: LinkGuard?
    /// Producers' connections at once.
    public var connections = ConnectionLimits().connections
    /// Events that may wait for the disk; beyond them producers wait for their acknowledgements, with spools that grow.
    public var waitingEvents: Int

    public init(
        name: String, ledgerLink: Endpoint, line: LineSettings = LineSettings(), linkGuard: LinkGuard? = nil,
        waitingEvents: Int = 65_536
    ) {
        self.name = name
        self.ledgerLink = ledgerLink
        self.line = line
        self.linkGuard = linkGuard
        self.waitingEvents = waitingEvents
    }
}

/// Accounting: takes ledger events from producers, commits them in groups, and acknowledges what is on disk.
///
/// Runs on its reactor's thread; the ledger itself is written by a thread of its own.
public actor AccountingLoop {
    public nonisolated let reactor: Reactor
    public nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.executor }
    /// Where producers dial, with the actual port.
    public nonisolated let ledgerLink: Endpoint

    private let log: Logger
    let link: UpperLink
    private let writer: LedgerWriter
    private let waitingEvents: Int
    var counters = AccountingCounters()
    var mirror: MetricMirror?

    private struct Waiting {
        var session: SessionRef
        var batch: ProducerBatch
    }

    private struct Producer {
        var epoch: UInt64
        var role: StationRole
    }

    private struct WaitingClaim {
        var session: SessionRef
        var ask: ClaimAsk
        /// It was found running once: now that what was on its way is on disk, that stands.
        var isSecond = false
    }

    private var waiting: [Waiting] = []
    private var waitingCount = 0
    private var isWriting = false
    private var isStopping = false
    /// Whether the link is left unread, since too much waits for the disk.
    private var isPaused = false
    /// When the first of those that wait came, on the monotonic clock.
    private var waitingSince: UInt64 = 0
    private var backoff = Backoff()
    private var claims: [WaitingClaim] = []
    private var isClaiming = false
    /// Claims of requests that seem to run: their ends may be on the way, or among the events that wait.
    private var doubtful: [WaitingClaim] = []
    private var doubtfulSince: UInt64 = 0
    /// The group with which the doubts end; nil before their time has come.
    private var doubtGroup: UInt64?
    private var groups: UInt64 = 0
    /// Nanoseconds in which the end of a request comes that its producer has stated already.
    private static let doubtTime: UInt64 = 40_000_000
    /// Events that are worth a commit at once, and nanoseconds that fewer wait for others: each commit costs a
    /// signature and a write to the disk, which takes milliseconds of a core from whoever serves requests.
    private static let groupEvents = 1024
    private static let groupTime: UInt64 = 200_000_000
    /// Claims that may wait; who asks beyond them is told to come again.
    private static let claimLimit = 4096
    /// Nanoseconds after which events that wait for the disk are a pile.
    private static let pileAge: UInt64 = 4_000_000_000
    private var producers: [SessionRef: Producer] = [:]
    private var frame = FrameBuffer(capacity: 64)
    private var stopped: [CheckedContinuation<Void, Never>] = []

    public init(
        _ configuration: AccountingConfiguration, station: StationParts, writer: LedgerWriter, log: Logger
    ) throws(TransportError) {
        self.log = log
        self.writer = writer
        waitingEvents = configuration.waitingEvents
        reactor = station.reactor
        link = try UpperLink(
            station.context, bind: configuration.ledgerLink,
            options: SocketOptions(connections: configuration.connections), guardedBy: configuration.linkGuard,
            dispatcher: Dispatcher(
                role: .accounting, epoch: station.epoch, name: configuration.name, settings: configuration.line,
                acceptedRoles: [.ingest, .tokenizer, .inferenceWorker], leases: false))
        ledgerLink = link.endpoint
    }

    /// Begins to listen.
    public func start() {
        listen()
        reactor.setTick(every: 50_000_000) { [weak self] in self?.assumeIsolated { $0.tick() } }
        reactor.setTurnEnd { [weak self] in self?.assumeIsolated { $0.endTurn() } }
    }

    private func listen() {
        link.attach(to: reactor) { [weak self] in self?.assumeIsolated { $0.drain() } }
    }

    /// Commits what has come and returns; producers keep the rest.
    public func stop() async {
        // Under load more comes with every group: nothing else is read, or the last one would never be reached.
        link.detach()
        isStopping = true
        backoff.succeeded()
        write()
        while isWriting || !waiting.isEmpty {
            await withCheckedContinuation { stopped.append($0) }
        }
        link.dispatcher.close()
        endTurn()
    }

    private func drain() {
        do {
            try link.drain { header, bytes, session, now throws(WireError) in
                switch header.kind {
                case .record: take(try RecordBatch(decoding: bytes, header: header), of: session, now)
                case .claim: try take(try Claim(decoding: bytes, header: header), of: session)
                default: throw WireError(.unexpectedKind, offset: 3)
                }
            }
        } catch {
            log.error("accounting: cannot receive", metadata: ["error": "\(error)"])
        }
        if waitingCount >= waitingEvents, !isPaused, !isStopping { pause() }
    }

    private func take(_ batch: RecordBatch, of session: SessionRef, _ now: UInt64) {
        guard let producer = producers[session] else { return }
        counters.batches += 1
        let batch = ProducerBatch(
            producer: producer.epoch, role: producer.role, isOrphan: batch.isComplete, batch: batch)
        if let violation = batch.violation { return refuse(session, "\(violation)") }
        if waiting.isEmpty { waitingSince = now }
        waitingCount += batch.batch.events.count
        waiting.append(Waiting(session: session, batch: batch))
    }

    private func take(_ claim: Claim, of session: SessionRef) throws(WireError) {
        guard let producer = producers[session] else { return }
        // Keys are ingest's to claim.
        guard producer.role == .ingest else { throw WireError(.unexpectedKind, offset: 3) }
        counters.claims += 1
        let waiting = WaitingClaim(session: session, ask: ClaimAsk(claim, producer: producer.epoch))
        guard claims.count < Self.claimLimit, !isStopping else { return answer([waiting], with: nil) }
        claims.append(waiting)
    }

    /// Ends the session of a producer that states what is not its to state.
    private func refuse(_ session: SessionRef, _ reason: String) {
        counters.refused += 1
        log.warning(
            "accounting: refused what a producer states",
            metadata: ["producer": "\(link.dispatcher.info(of: session.peer)?.name ?? "")", "reason": "\(reason)"])
        guard producers[session] != nil else { return }
        link.dispatcher.violated(by: session.peer)
    }

    // MARK: Time

    /// Leaves the link unread until the disk has caught up: what is not read waits in its senders' spools.
    private func pause() {
        isPaused = true
        counters.pauses += 1
        link.detach()
    }

    private func resume() {
        guard isPaused, !isStopping, waitingCount < waitingEvents / 2 else { return }
        isPaused = false
        link.dispatcher.excuseSilence(MonotonicClock.now())
        listen()
    }

    private func tick() {
        let now = MonotonicClock.now()
        mirrorMetrics(now)
        // Who is not listened to is not silent.
        if isPaused { link.dispatcher.excuseSilence(now) }
        link.tick(now)
        let isOld = !waiting.isEmpty && now > waitingSince && now - waitingSince > Self.pileAge
        writer.presence.piles(
            isPaused || isOld ? "events pile up: \(waitingCount) wait for the disk" : nil)
        if now >= waitingSince, now - waitingSince >= Self.groupTime { write() }
        if !doubtful.isEmpty, doubtGroup == nil, now > doubtfulSince, now - doubtfulSince > Self.doubtTime {
            doubtGroup = waiting.isEmpty ? groups : groups + 1
            write()
        }
        endDoubts()
    }

    private func endTurn() {
        perform()
        if isStopping || waitingCount >= Self.groupEvents { write() }
        claim()
        perform()
        if !isWriting, waiting.isEmpty {
            for continuation in stopped { continuation.resume() }
            stopped = []
        }
    }

    private func perform() {
        link.perform { action in
            switch action {
            case .peerUp(let peer):
                producers[peer.session] = Producer(epoch: peer.epoch, role: peer.role)
                writer.presence.sessionBegan(peer.epoch)
                log.info("accounting: producer joined", metadata: ["producer": "\(peer.name)"])
            case .peerDown(let peer, let status):
                if producers.removeValue(forKey: peer.session) != nil { writer.presence.sessionEnded(peer.epoch) }
                forget(peer.session)
                log.info("accounting: producer left", metadata: ["producer": "\(peer.name)", "reason": "\(status)"])
            case .control, .dispatch, .lost, .probeReply, .framesRead, .traysRead: break
            }
        }
    }

    /// What a session that has ended left waiting is sent again in the producer's next one.
    private func forget(_ session: SessionRef) {
        waiting.removeAll { $0.session == session }
        waitingCount = waiting.reduce(0) { $0 + $1.batch.batch.events.count }
        claims.removeAll { $0.session == session }
        doubtful.removeAll { $0.session == session }
    }

    // MARK: Writing

    /// Hands everything that waits to the writer, unless it is busy: what comes meanwhile is the next group.
    private func write() {
        guard !isWriting, !waiting.isEmpty, backoff.allows(MonotonicClock.now()) else { return }
        isWriting = true
        groups += 1
        let group = waiting
        waiting = []
        waitingCount = 0
        writer.apply(group.map(\.batch)) { [weak self, reactor] result in
            reactor.post { self?.assumeIsolated { $0.written(result, group) } }
        }
    }

    private func written(_ result: LedgerWriter.GroupResult, _ group: [Waiting]) {
        isWriting = false
        let applied = result.applied
        counters.recorded += UInt64(applied.recorded)
        counters.duplicates += UInt64(applied.duplicates)
        counters.conflicts += UInt64(applied.conflicts.count)
        counters.gaps += UInt64(applied.gaps.count)
        for conflict in applied.conflicts.prefix(16) {
            log.warning(
                "accounting: an event contradicts the ledger",
                metadata: ["request": "\(conflict.requestID)", "reason": "\(conflict.reason)"])
        }
        var told: Set<SessionRef> = []
        for item in group where told.insert(item.session).inserted {
            guard producers[item.session] != nil else { continue }
            if let through = applied.acknowledged[item.batch.producer], through > 0 {
                Count(through).encode(kind: .recordAck, into: &frame, session: item.session.session)
                link.send(&frame, to: item.session)
            }
            if let reason = applied.offenders[item.batch.producer] { refuse(item.session, "\(reason)") }
        }
        for (index, error) in result.failed {
            counters.failures += 1
            refuse(group[index].session, "\(error)")
        }
        if let (index, error) = result.interrupted {
            putBack(group[index...], error)
        } else {
            backoff.succeeded()
        }
        endDoubts(hasFailed: result.interrupted != nil)
        resume()
    }

    /// The disk takes nothing: nothing of it is acknowledged, and it is tried again later.
    private func putBack(_ rest: ArraySlice<Waiting>, _ error: LedgerError) {
        counters.failures += 1
        backoff.failed(MonotonicClock.now())
        log.critical("accounting: the ledger cannot be written", metadata: ["error": "\(error)"])
        // When accounting ends, its producers keep what they have.
        guard !isStopping else { return }
        waiting = rest.filter { producers[$0.session] != nil } + waiting
        waitingCount = waiting.reduce(0) { $0 + $1.batch.batch.events.count }
    }

    // MARK: Claims

    /// Has the claims that wait decided: they do not wait for a group of events.
    private func claim() {
        guard !isClaiming, !claims.isEmpty else { return }
        isClaiming = true
        let group = claims
        claims = []
        writer.claim(group.map(\.ask)) { [weak self, reactor] answers in
            reactor.post {
                self?.assumeIsolated {
                    $0.isClaiming = false
                    $0.answer(group, with: answers)
                }
            }
        }
    }

    /// Asks once more about the requests that seemed to run, when what waited then is on disk.
    private func endDoubts(hasFailed: Bool = false) {
        guard let group = doubtGroup, !isWriting else { return }
        if groups < group, !hasFailed, !waiting.isEmpty { return write() }
        claims += doubtful
        doubtful = []
        doubtGroup = nil
        claim()
    }

    private func answer(_ group: [WaitingClaim], with answers: [ClaimAnswer]?) {
        for (index, waiting) in group.enumerated() where producers[waiting.session] != nil {
            let claim = waiting.ask.claim
            let answer =
                answers?[index]
                ?? ClaimAnswer(number: claim.number, requestID: claim.requestID, outcome: .refused)
            if answer.outcome == .running, !waiting.isSecond, !isStopping, doubtful.count < Self.claimLimit {
                if doubtful.isEmpty { doubtfulSince = MonotonicClock.now() }
                doubtful.append(WaitingClaim(session: waiting.session, ask: waiting.ask, isSecond: true))
                continue
            }
            answer.encode(into: &frame, session: waiting.session.session)
            link.send(&frame, to: waiting.session)
        }
    }
}

/// What accounting has done since it started; every field only grows.
struct AccountingCounters: Sendable {
    /// Frames of events taken.
    var batches: UInt64 = 0
    /// New events on disk.
    var recorded: UInt64 = 0
    /// Events that were on disk already.
    var duplicates: UInt64 = 0
    /// Events that contradict others.
    var conflicts: UInt64 = 0
    /// Groups that could not be written.
    var failures: UInt64 = 0
    /// Numbers of producers that are missing for good, in ranges.
    var gaps: UInt64 = 0
    /// Statements that their producers may not make.
    var refused: UInt64 = 0
    /// Idempotency keys that were asked for.
    var claims: UInt64 = 0
    /// Times that the link was left unread, since too much waited for the disk.
    var pauses: UInt64 = 0
}
