public import Ledger
public import Line
public import Telemetry
public import Wire

/// What accounting asks of the threads that write the ledger, and tells those who read it.
public enum LedgerCommand: Sendable {
    /// Write this group; the answer is `written`.
    case apply([ProducerBatch])
    /// Decide about these claims; the answer is `decided`.
    case claim([ClaimAsk])
    case sessionBegan(epoch: UInt64)
    case sessionEnded(epoch: UInt64)
    /// Why events pile up; nil when they do not any more.
    case piles(String?)
}

/// What accounting needs to know.
public struct AccountingSettings: Sendable {
    public var name: String
    public var line: LineSettings
    /// Events that may wait for the disk; beyond them producers wait for their acknowledgements, with spools that grow.
    public var waitingEvents: Int

    public init(name: String, line: LineSettings = LineSettings(), waitingEvents: Int = 65_536) {
        self.name = name
        self.line = line
        self.waitingEvents = waitingEvents
    }
}

/// Accounting: takes ledger events from producers, has them committed in groups, and acknowledges what is on disk.
public struct Accounting: StationValue, ~Copyable {
    public typealias Command = LedgerCommand

    /// Where producers dial.
    public static var ledgerLink: Int { 0 }

    public var outbox = Outbox<LedgerCommand>()
    /// Accounting records nothing elsewhere.
    public var recordingFailure: String?
    public private(set) var isDrained = false

    private struct Producer {
        var epoch: UInt64
        var role: StationRole
    }

    private let waitingEvents: Int
    private var link: Dispatcher
    private var producers: [SessionRef: Producer] = [:]
    private var events = EventGroups()
    private var claims = ClaimDesk()
    private var counters = AccountingCounters()
    /// Whether the link is left unread, since too much waits for the disk.
    private var isPaused = false
    private var pile: String?
    private var isStopping = false

    /// - Parameter epoch: this process's boot: random, never reused.
    public init(_ settings: AccountingSettings, epoch: UInt64) {
        waitingEvents = settings.waitingEvents
        link = Dispatcher(
            role: .accounting, epoch: epoch, name: settings.name, settings: settings.line,
            acceptedRoles: [.ingest, .tokenizer, .inferenceWorker], leases: false)
    }

    public var isReady: Bool { true }

    public mutating func withLink<Result>(_ number: Int, _ body: (inout Dispatcher) -> Result) -> Result? {
        number == Self.ledgerLink ? body(&link) : nil
    }

    // MARK: What producers state

    public mutating func received(_ frame: Span<UInt8>, from sender: Correspondent, now: LinkTime) {
        guard case .below(_, let peer) = sender,
            case .work(let header, let session) = link.take(frame, from: peer, now: now)
        else { return }
        do throws(WireError) {
            switch header.kind {
            case .record: take(try RecordBatch(decoding: frame, header: header), of: session, now)
            case .claim: try take(try Claim(decoding: frame, header: header), of: session, now)
            default: throw WireError(.unexpectedKind, offset: 3)
            }
        } catch {
            link.malformed(by: peer)
        }
        if events.count >= waitingEvents, !isPaused, !isStopping { pause() }
    }

    private mutating func take(_ batch: RecordBatch, of session: SessionRef, _ now: LinkTime) {
        guard let producer = producers[session] else { return }
        counters.batches += 1
        let batch = ProducerBatch(
            producer: producer.epoch, role: producer.role, isOrphan: batch.isComplete, batch: batch)
        if let violation = batch.violation { return refuse(session, "\(violation)") }
        events.add(batch, of: session, now: now)
    }

    private mutating func take(_ claim: Claim, of session: SessionRef, _ now: LinkTime) throws(WireError) {
        guard let producer = producers[session] else { return }
        // Keys are ingest's to claim.
        guard producer.role == .ingest else { throw WireError(.unexpectedKind, offset: 3) }
        counters.claims += 1
        guard !isStopping, claims.add(ClaimAsk(claim, producer: producer.epoch), of: session) else {
            return answer(ClaimDesk.refusal(of: claim), to: session, now)
        }
    }

    /// Ends the session of a producer that states what is not its to state.
    private mutating func refuse(_ session: SessionRef, _ reason: String) {
        counters.refused += 1
        outbox.log(
            .warning, "accounting: refused what a producer states",
            ["producer": link.info(of: session.peer)?.name ?? "", "reason": reason])
        guard producers[session] != nil else { return }
        link.violated(by: session.peer)
    }

    // MARK: Groups

    private mutating func write(_ now: LinkTime) {
        if let group = events.begin(now) { outbox.command(.apply(group)) }
    }

    /// The group that was asked for has been written, as far as that was possible.
    public mutating func written(_ result: GroupResult, now: LinkTime) {
        let group = events.end()
        let applied = result.applied
        counters.recorded += UInt64(applied.recorded)
        counters.duplicates += UInt64(applied.duplicates)
        counters.conflicts += UInt64(applied.conflicts.count)
        counters.gaps += UInt64(applied.gaps.count)
        for conflict in applied.conflicts.prefix(16) {
            outbox.log(
                .warning, "accounting: an event contradicts the ledger",
                ["request": "\(conflict.requestID)", "reason": "\(conflict.reason)"])
        }
        var told: Set<SessionRef> = []
        for item in group where told.insert(item.session).inserted {
            guard producers[item.session] != nil else { continue }
            if let through = applied.acknowledged[item.batch.producer], through > 0 {
                acknowledge(through, to: item.session, now)
            }
            if let reason = applied.offenders[item.batch.producer] { refuse(item.session, "\(reason)") }
        }
        for (index, error) in result.failed where index < group.count {
            counters.failures += 1
            refuse(group[index].session, "\(error)")
        }
        if let (index, error) = result.interrupted {
            putBack(Array(group.dropFirst(index)), error, now)
        } else {
            events.succeeded()
        }
        endDoubts(now, hasFailed: result.interrupted != nil)
        resume(now)
    }

    private mutating func acknowledge(_ through: UInt64, to session: SessionRef, _ now: LinkTime) {
        outbox.send(on: Self.ledgerLink, session, &link, now: now) { frame, _ in
            Count(through).encode(kind: .recordAck, into: &frame, session: session.session)
        }
    }

    /// The disk takes nothing: nothing of it is acknowledged, and it is tried again later.
    private mutating func putBack(_ rest: [EventGroups.Waiting], _ error: LedgerError, _ now: LinkTime) {
        counters.failures += 1
        outbox.log(.critical, "accounting: the ledger cannot be written", ["error": "\(error)"])
        // When accounting ends, its producers keep what they have.
        guard !isStopping else { return events.failed(now) }
        events.putBack(rest.filter { producers[$0.session] != nil }, now: now)
    }

    /// Leaves the link unread until the disk has caught up: what is not read waits in its senders' spools.
    private mutating func pause() {
        isPaused = true
        counters.pauses += 1
        outbox.listen(link: Self.ledgerLink, false)
    }

    private mutating func resume(_ now: LinkTime) {
        guard isPaused, !isStopping, events.count < waitingEvents / 2 else { return }
        isPaused = false
        link.excuseSilence(now)
        outbox.listen(link: Self.ledgerLink, true)
    }

    // MARK: Claims

    private mutating func decide() {
        if let asks = claims.begin() { outbox.command(.claim(asks)) }
    }

    /// The ledger has decided about the claims that were asked for; nil where it could not.
    public mutating func decided(_ answers: [ClaimAnswer]?, now: LinkTime) {
        for told in claims.decided(answers, mayDoubt: !isStopping, now: now) {
            answer(told.answer, to: told.session, now)
        }
    }

    private mutating func answer(_ answer: ClaimAnswer, to session: SessionRef, _ now: LinkTime) {
        guard producers[session] != nil else { return }
        outbox.send(on: Self.ledgerLink, session, &link, now: now) { frame, _ in
            answer.encode(into: &frame, session: session.session)
        }
    }

    private mutating func endDoubts(_ now: LinkTime, hasFailed: Bool = false) {
        if claims.endDoubts(events, hasFailed: hasFailed) { write(now) }
        decide()
    }

    // MARK: Turns

    public mutating func tick(_ now: LinkTime) {
        // Who is not listened to is not silent.
        if isPaused { link.excuseSilence(now) }
        link.tick(now)
        noteFull(now)
        if events.isDue(now) { write(now) }
        if claims.doubtsAreDue(now, events) { write(now) }
        endDoubts(now)
    }

    private mutating func noteFull(_ now: LinkTime) {
        let reason =
            isPaused || events.isPile(now) ? "events pile up: more than the disk takes wait for it" : nil
        guard reason != pile else { return }
        pile = reason
        outbox.command(.piles(reason))
    }

    public mutating func endTurn(_ now: LinkTime) {
        perform(now)
        if isStopping || events.isGroup { write(now) }
        decide()
        perform(now)
        if isStopping, !isDrained, !events.isWriting, events.isEmpty {
            link.close()
            perform(now)
            isDrained = true
        }
    }

    private mutating func perform(_ now: LinkTime) {
        while let action = outbox.next(of: &link, on: Self.ledgerLink, now: now) {
            switch action {
            case .peerUp(let peer):
                producers[peer.session] = Producer(epoch: peer.epoch, role: peer.role)
                outbox.command(.sessionBegan(epoch: peer.epoch))
                outbox.log(.info, "accounting: producer joined", ["producer": peer.name])
            case .peerDown(let peer, let status):
                if producers.removeValue(forKey: peer.session) != nil {
                    outbox.command(.sessionEnded(epoch: peer.epoch))
                }
                events.forget(peer.session)
                claims.forget(peer.session)
                outbox.log(.info, "accounting: producer left", ["producer": peer.name, "reason": "\(status)"])
            case .control, .dispatch, .lost, .probeReply, .framesRead, .traysRead: break
            }
        }
    }

    // MARK: The end

    /// Commits what has come; producers keep the rest. Under load more comes with every group: nothing else is read, or
    /// the last one would never be reached.
    public mutating func drain(_ now: LinkTime) {
        outbox.listen(link: Self.ledgerLink, false)
        isStopping = true
        events.succeeded()
        write(now)
    }

    /// What is not on disk by now stays with its producers.
    public mutating func giveUp(_ now: LinkTime) { events.removeAll() }

    public func report(to mirror: MetricMirror) {
        mirror.gauge("producers", Double(link.peerCount), help: "Producers with a session.")
        mirror.count("batches", counters.batches, help: "Frames of events.")
        mirror.count("events", counters.recorded, help: "New events on disk.")
        mirror.count("duplicates", counters.duplicates, help: "Events that were on disk already.")
        mirror.count("conflicts", counters.conflicts, help: "Events that contradict others.")
        mirror.count("failures", counters.failures, help: "Groups that could not be written.")
        mirror.count("gaps", counters.gaps, help: "Ranges of events that are missing for good.")
        mirror.count("refused", counters.refused, help: "Statements that their producers may not make.")
        mirror.count("claims", counters.claims, help: "Idempotency keys that were asked for.")
        mirror.count("pauses", counters.pauses, help: "Times that too much waited for the disk to read more.")
    }
}
