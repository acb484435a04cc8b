import Seeds
import Economics
import Foundation
import GRDB
import Ledger
import LedgerDatabase
import LedgerInMemory
import LedgerStore
import Testing
import Wire

/// What one ledger was asked, in order: the same for both of them.
private struct Life {
    enum Step {
        case record([ProducerBatch])
        case claim(key: String, request: UInt64, body: UInt64)
        case expire
        case restart
        case wait(UInt64)
    }

    var steps: [Step] = []
    /// In the order of arrival.
    var events: [LedgerEvent] = []

    init(seed: UInt64) {
        var generator = Generator(seed: seed)
        events = generator.events(requests: 1...20, contradictions: true)
        var numbers: [UInt64: UInt64] = [:]
        var sent: [ProducerBatch] = []
        var rest = events[...]
        while !rest.isEmpty {
            let some = rest.prefix(Int(generator.number(1...9)))
            rest = rest.dropFirst(some.count)
            let batches = some.map { event in
                let producer = Stations.stating(event)
                numbers[producer, default: 0] += 1
                return ProducerBatch(
                    producer: producer, batch: RecordBatch(first: numbers[producer, default: 1], events: [event]))
            }
            steps.append(.record(batches))
            sent += batches
            switch generator.number(0...11) {
            case 0: steps.append(.record(sent.suffix(4)))
            case 1, 2: steps.append(.restart)
            case 3: steps.append(.wait(UInt64(generator.number(1...400))))
            case 4, 5:
                steps.append(
                    .claim(
                        key: "k\(generator.number(1...3))", request: UInt64(generator.number(1...20)),
                        body: UInt64(generator.number(1...2))))
            default: break
            }
        }
        steps += [.wait(5_000), .expire, .restart]
    }
}

@Suite struct MemoryLedgerTests {
    private static let ingest = Stations.ingest
    /// Ingests count as gone once this much time has passed.
    private static let begin: UInt64 = 1_000_000_000_000
    private static let settings = LedgerSettings(checkpointRows: 8)

    private static func ask(_ key: String, _ request: UInt64, _ body: UInt64) -> ClaimAsk {
        ClaimAsk(
            Claim(
                number: request, requestID: .numbered(request), bodyDigest: BodyDigest(body, 0, 0, 0), tenant: "acme",
                key: key), producer: ingest)
    }

    @Test(arguments: RandomTests.seeds)
    func bothLedgersSayTheSame(seed: UInt64) throws {
        let life = Life(seed: seed)
        let comment = RandomTests.replay(seed)
        let file = try TestLedger(settings: Self.settings)
        let memory = try MemoryLedger(prices: file.prices, settings: Self.settings, now: file.now)
        var clock = ReservationClock(timeToLive: 1_000, now: file.now)
        for step in life.steps {
            switch step {
            case .record(let batches):
                let left = try file.store.apply(batches, now: file.now)
                #expect(try left == memory.apply(batches, now: file.now), comment)
            case .claim(let key, let request, let body):
                let ask = Self.ask(key, request, body)
                let left = try file.store.claim([ask], elapsed: file.now - Self.begin) { _ in false }
                let right = try memory.claim([ask], elapsed: file.now - Self.begin) { _ in false }
                #expect(left == right, comment)
            case .expire:
                let now = file.now
                var left = 0
                var right = 0
                for _ in 0..<3 {
                    var (one, other) = (clock, clock)
                    left += try file.store.expire(
                        now: now, isGone: { clock.isGone($0, now: now) }, unowned: { one.due($0, now: now) })
                    right += try memory.expire(
                        now: now, isGone: { clock.isGone($0, now: now) }, unowned: { other.due($0, now: now) })
                    clock = one
                }
                #expect(left == right, comment)
            case .restart:
                try file.reopen()
                try memory.restart(now: file.now)
                clock = ReservationClock(timeToLive: 1_000, now: file.now)
            case .wait(let time): file.now += time
            }
        }
        try compare(file, memory, comment)
    }

    private func compare(_ file: TestLedger, _ memory: MemoryLedger, _ comment: Comment) throws {
        #expect(try file.store.reader.balances() == memory.balances, comment)
        let rows = try DatabaseQueue(path: file.path).read { db in
            try Row.fetchAll(db, sql: "SELECT kind, received, name, body FROM event ORDER BY sequence")
        }
        #expect(rows.count == memory.log.count, comment)
        for (row, entry) in zip(rows, memory.log) {
            let isSame =
                row[0] as Int64 == Int64(entry.kind) && row[1] as Int64 == entry.received
                && row[2] as Data == entry.name
                && row[3] as Data == entry.body
            #expect(isSame, comment)
        }
        let (left, right) = (try file.audit(), memory.audit())
        #expect(left.findings == right.findings, comment)
        #expect(left.counts == right.counts, comment)
        #expect(left.billedTokens == right.billedTokens, comment)
    }

    /// A rule that a life with a planted fault broke; nil when it broke none.
    private func brokenRule(seed: UInt64, _ fault: PlantedFault) throws -> String? {
        let life = Life(seed: seed)
        let memory = try MemoryLedger(prices: TestLedger.prices(), settings: Self.settings, now: Self.begin)
        memory.faults = [fault]
        var stated: [UInt64: UInt64] = [:]
        var granted: [String: UInt64] = [:]
        var now = Self.begin
        for step in life.steps {
            switch step {
            case .record(let batches):
                for batch in batches {
                    stated[batch.producer] = max(stated[batch.producer] ?? 0, batch.numbers?.upperBound ?? 0)
                }
                for (producer, through) in try memory.apply(batches, now: now).acknowledged
                where through > stated[producer] ?? 0 {
                    return "an acknowledgement covers what was stated"
                }
            case .claim(let key, let request, let body):
                let answer = try memory.claim([Self.ask(key, request, body)], elapsed: now - Self.begin) { _ in false }
                guard answer.first?.outcome == .granted else { continue }
                if let other = granted[key], other != request, memory.request(.numbered(other), of: "acme") == nil {
                    return "a key is granted once while its request has not begun"
                }
                granted[key] = request
            case .restart:
                let rows = memory.log.count
                try memory.restart(now: now)
                if memory.log.count < rows { return "what was acknowledged is there after a restart" }
            case .expire: break
            case .wait(let time): now += time
            }
        }
        let audit = memory.audit()
        if let finding = audit.findings.first(where: { $0.severity == .violation && $0.check != .coverage }) {
            return "the audit passes: \(finding)"
        }
        var sums: [Account: Int128] = [:]
        for total in memory.balances where total.balance != 0 { sums[total.account, default: 0] += total.balance }
        return sums == Reference(arrived: life.events).balances ? nil : "balances are those of the reference"
    }

    @Test(arguments: PlantedFault.allCases)
    func aPlantedFaultIsFound(_ fault: PlantedFault) throws {
        for seed in UInt64(1)...40 {
            if let rule = try brokenRule(seed: seed, fault) {
                return print("\(fault): found after \(seed) seeds: \(rule)")
            }
        }
        Issue.record("40 lives of a ledger with \(fault) broke no rule")
    }
}
