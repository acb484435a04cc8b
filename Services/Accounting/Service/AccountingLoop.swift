public import Line
import LedgerStore
public import Logging
public import Station
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

    private var waiting: [Waiting] = []
    private var waitingCount = 0
    private var isWriting = false
    private var isStopping = false
    /// When the first of those that wait came, on the monotonic clock.
    private var waitingSince: UInt64 = 0
    /// Events that are worth a commit at once, and nanoseconds that fewer wait for others: each commit costs a
    /// signature and a write to the disk, which takes milliseconds of a core from whoever serves requests.
    private static let groupEvents = 1024
    private static let groupTime: UInt64 = 200_000_000
    private var epochs: [SessionRef: UInt64] = [:]
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
            station.context, bind: configuration.ledgerLink, guardedBy: configuration.linkGuard,
            dispatcher: Dispatcher(
                role: .accounting, epoch: station.epoch, name: configuration.name, settings: configuration.line,
                acceptedRoles: [.ingest, .tokenizer, .inferenceWorker], leases: false))
        ledgerLink = link.endpoint
    }

    /// Begins to listen.
    public func start() {
        link.attach(to: reactor) { [weak self] in self?.assumeIsolated { $0.drain() } }
        reactor.setTick(every: 50_000_000) { [weak self] in self?.assumeIsolated { $0.tick() } }
        reactor.setTurnEnd { [weak self] in self?.assumeIsolated { $0.endTurn() } }
    }

    /// Commits what has come and returns; producers keep the rest.
    public func stop() async {
        // Under load more comes with every group: nothing else is read, or the last one would never be reached.
        link.detach()
        isStopping = true
        write()
        while isWriting || !waiting.isEmpty {
            await withCheckedContinuation { stopped.append($0) }
        }
        link.dispatcher.close()
        endTurn()
    }

    private func drain() {
        guard waitingCount < waitingEvents else { return }
        do {
            try link.drain { header, bytes, session, _ throws(WireError) in
                guard header.kind == .record else { throw WireError(.unexpectedKind, offset: 3) }
                let batch = try RecordBatch(decoding: bytes, header: header)
                guard let epoch = epochs[session] else { return }
                counters.batches += 1
                if waiting.isEmpty { waitingSince = MonotonicClock.now() }
                waitingCount += batch.events.count
                waiting.append(Waiting(session: session, batch: ProducerBatch(producer: epoch, batch: batch)))
            }
        } catch {
            log.error("accounting: cannot receive", metadata: ["error": "\(error)"])
        }
    }

    private func tick() {
        let now = MonotonicClock.now()
        mirrorMetrics(now)
        link.tick(now)
        if now >= waitingSince + Self.groupTime { write() }
    }

    private func endTurn() {
        perform()
        if isStopping || waitingCount >= Self.groupEvents { write() }
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
                epochs[peer.session] = peer.epoch
                log.info("accounting: producer joined", metadata: ["producer": "\(peer.name)"])
            case .peerDown(let peer, let status):
                epochs[peer.session] = nil
                log.info("accounting: producer left", metadata: ["producer": "\(peer.name)", "reason": "\(status)"])
            case .control, .dispatch, .lost, .probeReply, .framesRead, .traysRead: break
            }
        }
    }

    /// Hands everything that waits to the writer, unless it is busy: what comes meanwhile is the next group.
    private func write() {
        guard !isWriting, !waiting.isEmpty else { return }
        isWriting = true
        let group = waiting
        waiting = []
        waitingCount = 0
        let sessions = group.map { ($0.session, $0.batch.producer) }
        writer.apply(group.map(\.batch)) { [weak self, reactor] result in
            reactor.post { self?.assumeIsolated { $0.written(result, sessions) } }
        }
    }

    private func written(_ result: Result<ApplyResult, LedgerError>, _ sessions: [(SessionRef, UInt64)]) {
        isWriting = false
        switch result {
        case .failure(let error):
            // Nothing is acknowledged: the producers send it again in their next sessions.
            counters.failures += 1
            log.critical("accounting: the ledger cannot be written", metadata: ["error": "\(error)"])
            for (session, _) in sessions { link.dispatcher.violated(by: session.peer) }
        case .success(let result):
            counters.recorded += UInt64(result.recorded)
            counters.duplicates += UInt64(result.duplicates)
            counters.conflicts += UInt64(result.conflicts.count)
            for conflict in result.conflicts {
                log.warning(
                    "accounting: an event contradicts the ledger",
                    metadata: ["request": "\(conflict.requestID)", "reason": "\(conflict.reason)"])
            }
            var told: Set<SessionRef> = []
            for (session, producer) in sessions where told.insert(session).inserted {
                guard epochs[session] != nil, let through = result.acknowledged[producer] else { continue }
                Count(through).encode(kind: .recordAck, into: &frame, session: session.session)
                link.send(&frame, to: session)
            }
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
}
