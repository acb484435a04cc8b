public import Line
public import Logging
public import Spool
public import Transport
public import Wire

/// A station's way to the ledger: events go into the spool before the frames that they conclude go out, to accounting
/// when it is there, and leave the spool when it has acknowledged them.
///
/// Belongs to the actor that uses it. In a turn: `record` as things happen, `commit` before frames are sent, `flush`
/// at the end.
public final class LedgerProducer {
    /// What went wrong; every field only grows.
    public struct Counters: Sendable {
        /// Events stated.
        public var events: UInt64 = 0
        /// Events that the spool did not take: lost to the ledger.
        public var lost: UInt64 = 0
        /// Events that accounting has on disk.
        public var acknowledged: UInt64 = 0
    }

    public let links: LowerLinks
    /// Told what became of claims; on the reactor's thread.
    public var onClaimAnswer: (ClaimAnswer) -> Void = { _ in }
    public private(set) var counters = Counters()

    private var spool: Spool
    private var turn: [LedgerEvent] = []
    /// Reservations that stand in `turn`, and requests whose ends do.
    private var begun: [OpenRequest] = []
    private var ended: [OpenRequest] = []
    /// Bytes to set aside for whatever the station holds, and those that are.
    private var roomWanted = 0
    private var roomSetAside = 0
    private var isFinished = false
    private var link: UInt32?
    private var session: UInt32 = 0
    private var next: UInt64 = 1
    private var frame = FrameBuffer(capacity: 4096)
    private var lastAcknowledged: UInt64 = 0
    private var pendingSince: UInt64 = 0
    private var retryAt: UInt64 = 0
    /// Nanoseconds between two attempts to write to a spool that cannot be written.
    private static let retryInterval: UInt64 = 200_000_000

    /// Works for whose events room is kept, at most: 16 MB.
    private static let worksLimit = 16_384

    /// Events that may be on the way at once.
    private static let window: UInt64 = 8192
    private static let batch = 512
    /// Nanoseconds that events may be in the spool without being on any disk, when accounting does not take them.
    private static let syncAfter: UInt64 = 500_000_000

    /// - Parameters:
    ///   - accounting: Accounting's ledger link.
    ///   - role: The station's own.
    public init(
        spool: consuming Spool, station: StationParts, accounting: Endpoint, role: StationRole, name: String,
        settings: LineSettings = LineSettings(), credentials: LinkCredentials? = nil
    ) {
        var settings = settings
        settings.stepAgeLimit = nil
        links = LowerLinks(
            station.context, reactor: station.reactor, targets: [accounting], credentials: credentials,
            side: DialSide(role: role, epoch: station.epoch, name: name, settings: settings))
        next = spool.acknowledged + 1
        self.spool = spool
    }

    /// Begins to dial; see `LowerLinks.attach`.
    public func attach(
        onReadable: @escaping @Sendable (UInt32) -> Void,
        onMonitor: @escaping @Sendable (UInt32, MonitorEvent) -> Void
    ) {
        links.attach(onReadable: onReadable, onMonitor: onMonitor)
    }

    /// Whether the next tick has something to send, or to say.
    public var awaitsTick: Bool {
        let hasUnsent = link != nil && next <= spool.last && isWithinWindow
        return hasUnsent || links.side.awaitsTick
    }

    /// Whether a session with accounting goes on.
    public var isConnected: Bool { link != nil }

    /// Asks for an idempotency key at once.
    /// - Returns: False when accounting is away, or does not know claims.
    public func send(_ claim: Claim) -> Bool {
        guard let link, links.side.version(of: link) >= 2 else { return false }
        claim.encode(into: &frame, session: session)
        return links.send(&frame, on: link, session: session) == .sent
    }

    /// Whether more may go before accounting acknowledges.
    private var isWithinWindow: Bool { next <= spool.acknowledged || next - spool.acknowledged <= Self.window }

    /// Events that accounting has not acknowledged.
    public var pending: UInt64 { spool.pending }

    /// Returns when accounting has everything, and the spool's files are gone, or after the time: the rest stays in the
    /// spool and is adopted. The station's last act.
    public func finish(withinSeconds seconds: UInt64, log: Logger) async {
        let end = MonotonicClock.now() + seconds * 1_000_000_000
        while spool.pending > 0 || !turn.isEmpty, MonotonicClock.now() < end {
            commit(log: log)
            try? await Task.sleep(for: .milliseconds(5))
        }
        isFinished = true
        do {
            try spool.retire()
        } catch {
            log.error("the spool cannot be closed", metadata: ["error": "\(error)"])
        }
    }

    /// Why what is stated might not be written; nil while it will be. A station that cannot record takes no new work;
    /// what it has to state is kept, and written when that goes again.
    public var failure: String? { writeFailure ?? roomFailure }
    /// Why events cannot be written at the moment: nothing that they conclude may go out.
    public private(set) var writeFailure: String?
    /// Why there is no room for the ends of more work.
    private var roomFailure: String?

    /// Sets room aside for whatever the station may hold at once; what was set aside before is kept.
    /// - Parameter works: How many events it can have to state of what it holds.
    public func keepRoom(forWorks works: Int, log: Logger) {
        let bytes = min(works, Self.worksLimit) * Spool.largestRoom
        guard bytes > roomWanted else { return }
        roomWanted = bytes
        restoreRoom(log)
    }

    /// Keeps a place and room for the end of a request that this event is to reserve. Nil when there is none: the request
    /// must not be admitted.
    public func makePlace(for event: LedgerEvent, log: Logger) -> OpenRequest? {
        guard failure == nil else { return nil }
        // Its reservation with a label, its end, and attempts that are lost.
        let room =
            4 * Spool.room(tenant: event.tenant, model: event.model, worker: event.worker)
            + event.label.utf8.count
        do throws(SpoolError) {
            var plain = event
            plain.label = ""
            return try spool.reserve(plain, room: room)
        } catch {
            roomFailed(error, log)
            return nil
        }
    }

    /// States that a request may begin.
    public func record(_ event: LedgerEvent, beginning request: OpenRequest) {
        record(event)
        begun.append(request)
    }

    /// The request was not admitted after all, and nothing was stated of it.
    public func drop(_ request: OpenRequest) { spool.free(request) }

    /// States the end of a request.
    public func record(_ event: LedgerEvent, ending request: OpenRequest?) {
        record(event)
        if let request { ended.append(request) }
    }

    private func roomFailed(_ error: SpoolError, _ log: Logger) {
        if roomFailure == nil {
            log.critical(
                "there is no room to record the end of more work: none is taken", metadata: ["error": "\(error)"])
        }
        roomFailure = "\(error)"
        retryAt = MonotonicClock.now() + Self.retryInterval
    }

    /// Sees that what the station holds can be recorded although segments were begun meanwhile.
    private func restoreRoom(_ log: Logger) {
        do throws(SpoolError) {
            if roomWanted > roomSetAside {
                try spool.setAside(roomWanted - roomSetAside)
                roomSetAside = roomWanted
            }
            try spool.restoreRoom()
            if roomFailure != nil { log.notice("there is room to record work again") }
            roomFailure = nil
        } catch {
            roomFailed(error, log)
        }
    }

    /// States an event; it is written with the others of this turn.
    public func record(_ event: LedgerEvent) {
        counters.events += 1
        turn.append(event)
    }

    /// Writes the turn's events to the spool, and those that could not be written before.
    public func commit(log: Logger) {
        guard !turn.isEmpty else { return }
        let now = MonotonicClock.now()
        guard writeFailure == nil || now >= retryAt else { return }
        do throws(SpoolError) {
            if spool.pending == 0 { pendingSince = now }
            try spool.append(turn)
            if writeFailure != nil {
                log.notice("the spool can be written again", metadata: ["events": "\(turn.count)"])
            }
            writeFailure = nil
            turn.removeAll(keepingCapacity: true)
            noteOpen()
        } catch {
            if case .unsendable = error { return drop(log) }
            if writeFailure == nil {
                log.critical(
                    "the spool cannot be written: no new work is taken",
                    metadata: ["error": "\(error)", "events": "\(turn.count)"])
            }
            writeFailure = "\(error)"
            retryAt = now + Self.retryInterval
        }
    }

    /// What the turn's events reserved is open, what they ended is not.
    private func noteOpen() {
        for request in begun { spool.begin(request) }
        for request in ended { spool.free(request) }
        begun.removeAll(keepingCapacity: true)
        ended.removeAll(keepingCapacity: true)
    }

    /// Of the turn's events, leaves out those that accounting would refuse for ever, so that the others are written.
    private func drop(_ log: Logger) {
        for event in turn {
            do throws(SpoolError) {
                try spool.append([event])
            } catch {
                counters.lost += 1
                log.critical(
                    "a ledger event is lost", metadata: ["error": "\(error)", "request": "\(event.requestID)"])
            }
        }
        turn.removeAll(keepingCapacity: true)
        noteOpen()
    }

    /// Takes frames from accounting.
    public func drain(_ link: UInt32, log: Logger) {
        do {
            try links.drain(link) { header, bytes, _, _ throws(WireError) in
                switch header.kind {
                case .recordAck: acknowledge(try Count(decoding: bytes, header: header).value, log: log)
                case .claimAnswer: onClaimAnswer(try ClaimAnswer(decoding: bytes, header: header))
                default: throw WireError(.unexpectedKind, offset: 3)
                }
            }
        } catch {
            log.error("cannot receive from accounting", metadata: ["error": "\(error)"])
        }
    }

    private func acknowledge(_ through: UInt64, log: Logger) {
        // Accounting speaks of what it was never sent: it is not this spool's.
        guard through <= spool.last else {
            log.error(
                "accounting acknowledges what it was never sent",
                metadata: ["through": "\(through)", "sent": "\(spool.last)"])
            if let link { links.side.violated(on: link) }
            return
        }
        let before = spool.acknowledged
        do {
            try spool.acknowledge(through: through)
        } catch {
            log.error("the spool cannot be shortened", metadata: ["error": "\(error)"])
        }
        counters.acknowledged += spool.acknowledged - before
        pendingSince = MonotonicClock.now()
    }

    /// Sends what accounting does not have yet, once enough has gathered: it stands in the spool and can wait for the
    /// next tick, and a frame and a commit for each event would cost the stations more than the event itself.
    public func flush(log: Logger) { flush(log: log, atLeast: Self.batch / 2) }

    private func flush(log: Logger, atLeast least: Int) {
        links.perform { action in
            switch action {
            case .sessionBegan(let link, let welcome):
                self.link = link
                session = welcome.session
                next = spool.acknowledged + 1
            case .sessionEnded(let link, _, let status, _):
                if self.link == link { self.link = nil }
                log.info("accounting: session ended", metadata: ["reason": "\(status)"])
            case .refused(_, let status):
                log.warning("accounting refuses", metadata: ["reason": "\(status)"])
            case .control, .reconnect, .windowOpened, .cancel, .probe, .drained: break
            }
        }
        do {
            guard next + UInt64(least) <= spool.last + 1 else { return }
            while let link, next <= spool.last, isWithinWindow,
                var batch = try spool.unacknowledged(from: next, limit: Self.batch)
            {
                // What the spool has lost in between will never come.
                batch.isComplete = batch.first > next
                batch.encode(into: &frame, session: session, version: links.side.version(of: link))
                guard links.send(&frame, on: link, session: session) == .sent else {
                    self.link = nil
                    break
                }
                next = batch.first + UInt64(batch.events.count)
            }
        } catch {
            log.error("the spool cannot be read", metadata: ["error": "\(error)"])
        }
    }

    /// Lets time pass, sends what has gathered, and puts events on disk that accounting has left waiting.
    public func tick(_ now: UInt64, log: Logger) {
        links.tick(now)
        if writeFailure != nil { commit(log: log) }
        // The files are gone; nothing may be made beside them again.
        if !isFinished, roomFailure == nil || now >= retryAt { restoreRoom(log) }
        flush(log: log, atLeast: 1)
        guard spool.pending > 0, now > pendingSince + Self.syncAfter else { return }
        pendingSince = now
        do {
            try spool.sync()
        } catch {
            log.error("the spool cannot be synced", metadata: ["error": "\(error)"])
        }
    }
}
