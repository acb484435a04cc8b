import AccountingService
import Economics
import Ledger
import LedgerInMemory
import Line
import Wire

/// Accounting in virtual time: producers with spools and real dialling sides, and a ledger in memory that commits when
/// it is told to. Frames go through the codec; nothing else of a process is there.
final class AccountingBench {
    /// What the harness does wrong, to see whether the rules find it.
    enum Sabotage: CaseIterable {
        /// A group is said to be on disk and is not.
        case acknowledgeUnwritten
        /// What the disk refused is not kept.
        case forgetGroup
        /// The answer about a claim goes to the next one.
        case grantEverything
        /// An acknowledgement is lost on its way, on a link that loses nothing.
        case swallowAcknowledgement
    }

    /// A station below: everything that it has stated, and how much of it accounting has.
    final class Producer {
        let epoch: UInt64
        let peer: UInt64
        var side: DialSide
        var link: UInt32 = 0
        var session: UInt32 = 0
        var isUp = false
        var events: [LedgerEvent] = []
        var acknowledged = 0
        var next = 0
        var claims: [Claim] = []
        var granted: [String: [UInt64]] = [:]
        var answered = 0
        var box = Outbox<Never>()

        init(epoch: UInt64, peer: UInt64) {
            self.epoch = epoch
            self.peer = peer
            var settings = LineSettings()
            settings.stepAgeLimit = nil
            side = DialSide(role: .ingest, epoch: epoch, name: "i\(epoch)", settings: settings)
        }
    }

    private(set) var accounting: Accounting
    let ledger: MemoryLedger
    let producers: [Producer]
    var now: LinkTime = 1_000_000_000
    /// The disk takes nothing.
    var diskFails = false
    var sabotage: Sabotage?
    private(set) var isReading = true
    private(set) var restarts: UInt64 = 0
    /// What it has logged.
    private(set) var lines: [LogLine] = []
    private var pending: [LedgerCommand] = []
    /// Frames that wait while the link is left unread.
    private var unread: [(frame: [UInt8], producer: Int)] = []

    init(producers count: Int) throws {
        ledger = try MemoryLedger(prices: .illustrative, settings: LedgerSettings(checkpointRows: 64), now: 1)
        accounting = Self.make(restarts: 0)
        producers = (0..<count).map { Producer(epoch: UInt64(0x100 + $0), peer: UInt64(1 + $0)) }
        for producer in producers { dial(producer) }
    }

    private static func make(restarts: UInt64) -> Accounting {
        Accounting(
            AccountingSettings(name: "accounting", waitingEvents: 24), epoch: 0xacc0 + restarts)
    }

    var isDrained: Bool { accounting.isDrained }

    func dial(_ producer: Producer) {
        if producer.link == 0 {
            producer.link = producer.side.addLink()
        } else {
            producer.side.disconnected(producer.link, now: now)
        }
        producer.side.connected(producer.link, now: now)
        settle()
    }

    /// Accounting is killed. What it had asked of the disk was done or not, and nobody heard of it.
    func restart(hasWritten: Bool) throws {
        if hasWritten { for command in pending { _ = write(command) } }
        pending = []
        unread = []
        isReading = true
        restarts += 1
        try ledger.restart(now: now)
        accounting = Self.make(restarts: restarts)
        for producer in producers { dial(producer) }
    }

    func drain() {
        accounting.drain(now)
        settle()
    }

    /// The disk does what it was asked for first.
    func commit() {
        guard !pending.isEmpty else { return }
        switch write(pending.removeFirst()) {
        case .group(let result): accounting.written(result, now: now)
        case .claims(let answers): accounting.decided(answers, now: now)
        case nil: break
        }
        settle()
    }

    func commitAll() { while !pending.isEmpty, !diskFails { commit() } }

    func pass(_ nanoseconds: UInt64) {
        let end = now + nanoseconds
        while now < end {
            now += 50_000_000
            for producer in producers { producer.side.tick(now) }
            accounting.tick(now)
            settle()
        }
    }

    // MARK: The disk

    private enum Written {
        case group(GroupResult)
        case claims([ClaimAnswer]?)
    }

    private func write(_ command: LedgerCommand) -> Written? {
        switch command {
        case .apply(let batches):
            var result = GroupResult()
            do throws(LedgerError) {
                if diskFails { throw .full(operation: "record events", path: "in memory") }
                if sabotage == .acknowledgeUnwritten {
                    sabotage = nil
                    for batch in batches { result.applied.acknowledged[batch.producer] = batch.numbers?.upperBound }
                } else {
                    result.applied = try ledger.apply(batches, now: now)
                }
            } catch {
                result.interrupted = (0, error)
                if sabotage == .forgetGroup {
                    sabotage = nil
                    result.interrupted = (batches.count, error)
                }
            }
            return .group(result)
        case .claim(let asks):
            var answers = diskFails ? nil : try? ledger.claim(asks, elapsed: now) { _ in false }
            if sabotage == .grantEverything, let decided = answers {
                answers = decided.map { ClaimAnswer(number: $0.number, requestID: $0.requestID, outcome: .granted) }
            }
            return .claims(answers)
        case .sessionBegan, .sessionEnded, .piles: return nil
        }
    }

    // MARK: Carrying

    func settle() {
        while true {
            var moved = turnOfAccounting()
            for (index, producer) in producers.enumerated() { moved = turn(of: producer, index) || moved }
            if !moved { return }
        }
    }

    private func turnOfAccounting() -> Bool {
        accounting.endTurn(now)
        let box = accounting.outbox
        accounting.outbox.removeAll()
        for action in box.actions {
            switch action {
            case .send(let frame, .below(_, let peer)):
                guard let producer = producers.first(where: { $0.peer == peer }) else { continue }
                take(box.frame(frame).bytes, by: producer)
            case .listen(_, let isOn): isReading = isOn
            case .command(let number):
                if case .apply = box.commands[number] { pending.append(box.commands[number]) }
                if case .claim = box.commands[number] { pending.append(box.commands[number]) }
            case .log(let line): lines.append(box.lines[line])
            case .send, .reconnect, .record, .commit, .keepRoom: break
            }
        }
        guard isReading, !unread.isEmpty else { return !box.isEmpty }
        let frames = unread
        unread = []
        for (frame, index) in frames { give(frame, from: index) }
        return true
    }

    private func give(_ frame: [UInt8], from index: Int) {
        guard isReading else { return unread.append((frame, index)) }
        accounting.received(frame.span, from: .below(link: 0, peer: producers[index].peer), now: now)
    }

    private func take(_ bytes: [UInt8], by producer: Producer) {
        guard case .work(let header, _) = producer.side.take(bytes.span, on: producer.link, now: now) else { return }
        switch header.kind {
        case .recordAck:
            if sabotage == .swallowAcknowledgement { return sabotage = nil }
            let through = (try? Count(decoding: bytes.span, header: header).value) ?? 0
            producer.acknowledged = max(producer.acknowledged, Int(through))
        case .claimAnswer:
            guard let answer = try? ClaimAnswer(decoding: bytes.span, header: header) else { return }
            producer.answered += 1
            guard answer.outcome == .granted, let claim = producer.claims.first(where: { $0.number == answer.number })
            else { return }
            producer.granted[claim.key, default: []].append(claim.requestID.low)
        default: break
        }
    }

    private func turn(of producer: Producer, _ index: Int) -> Bool {
        while let action = producer.box.next(of: &producer.side, on: 0, now: now) {
            switch action {
            case .sessionBegan(_, let welcome):
                producer.session = welcome.session
                producer.isUp = true
                producer.next = producer.acknowledged
            case .sessionEnded: producer.isUp = false
            default: break
            }
        }
        send(producer)
        let box = producer.box
        producer.box.removeAll()
        for action in box.actions {
            switch action {
            case .send(let frame, _): give(box.frame(frame).bytes, from: index)
            case .reconnect:
                unread.removeAll { $0.producer == index }
                producer.side.connected(producer.link, now: now)
            default: break
            }
        }
        return !box.isEmpty
    }

    /// Sends what accounting has not got in this session, a few events a frame.
    private func send(_ producer: Producer) {
        while producer.isUp, producer.next < producer.events.count {
            let some = producer.events[producer.next..<min(producer.next + 5, producer.events.count)]
            let batch = RecordBatch(first: UInt64(producer.next + 1), events: Array(some))
            producer.next += some.count
            producer.box.send(on: 0, producer.link, session: producer.session, &producer.side, now: now) { frame, _ in
                batch.encode(into: &frame, session: producer.session)
            }
        }
    }

    func claim(_ key: String, request: UInt64, by producer: Producer) {
        guard producer.isUp else { return }
        let claim = Claim(
            number: UInt64(producer.claims.count + 1), requestID: RequestID(high: 1, low: request),
            bodyDigest: BodyDigest(1, 2, 3, 4), tenant: "acme", key: key)
        producer.claims.append(claim)
        producer.box.send(on: 0, producer.link, session: producer.session, &producer.side, now: now) { frame, _ in
            claim.encode(into: &frame, session: producer.session)
        }
        settle()
    }
}
