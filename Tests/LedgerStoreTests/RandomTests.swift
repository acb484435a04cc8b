import Seeds
import Economics
import Foundation
import Ledger
import LedgerDatabase
import LedgerStore
import Testing
import Wire

/// What the ledger must say of a set of events, worked out without its code: once, from the whole.
struct Reference {
    private(set) var requests: [UInt64: Expected] = [:]

    struct Expected: Equatable {
        var status = RequestStatus.reserved
        var amount: Int128 = 0
        var produced: Int128 = 0
        var delivered: Int128 = 0
        var reserved: Int128 = 0
    }

    /// - Parameter arrived: every event in the order of arrival, duplicates and conflicts included.
    init(arrived: [LedgerEvent]) {
        struct Name: Hashable { let parts: [UInt64] }
        var first: [Name: LedgerEvent] = [:]
        var order: [LedgerEvent] = []
        for event in arrived {
            let name = Name(parts: [
                event.requestID.low, UInt64(event.kind.rawValue), UInt64(event.ingestAttempt),
                UInt64(event.tokenizerAttempt), event.producer,
            ])
            if first.updateValue(first[name] ?? event, forKey: name) == nil { order.append(event) }
        }
        for (number, all) in Dictionary(grouping: order, by: { $0.requestID.low }) {
            var expected = Expected()
            // Only the ingest that spoke of it first may.
            let owner = all.first { $0.kind != .attempt && $0.kind != .lostAttempt }?.producer
            let events = all.filter { $0.kind == .attempt || $0.kind == .lostAttempt || $0.producer == owner }
            for reserve in events where reserve.kind == .reserve {
                expected.reserved = max(
                    expected.reserved, 100 * Int128(reserve.promptTokens) + 1_000 * Int128(reserve.maximumTokens))
            }
            if let end = events.first(where: { $0.kind == .settle || $0.kind == .void }) {
                expected.status = end.kind == .settle ? .settled : .void
                expected.delivered = Int128(end.deliveredTokens)
                if end.kind == .settle {
                    expected.amount =
                        100 * Int128(end.promptTokens - end.cachedTokens) + 10 * Int128(end.cachedTokens)
                        + 1_000 * Int128(end.deliveredTokens)
                }
            }
            let attempts = events.filter { $0.kind == .attempt || $0.kind == .lostAttempt }
            for (_, records) in Dictionary(grouping: attempts, by: \.ingestAttempt) {
                let below = records.filter { !($0.kind == .lostAttempt && $0.producerRole == .ingest) }
                let made = Dictionary(grouping: below) { [UInt64($0.tokenizerAttempt), $0.producer] }.values.map {
                    both in
                    Int128((both.first { $0.kind == .attempt } ?? both[0]).producedTokens)
                }.reduce(0, +)
                let floor = records.filter { $0.producerRole == .ingest }.map { Int128($0.producedTokens) }.max() ?? 0
                expected.produced += max(made, floor)
            }
            requests[number] = expected
        }
    }

    var balances: [Account: Int128] {
        var sums: [Account: Int128] = [:]
        for request in requests.values {
            sums[.produced, default: 0] -= request.produced
            switch request.status {
            case .reserved:
                sums[.held, default: 0] += request.reserved
                sums[.commitment, default: 0] -= request.reserved
                sums[.open, default: 0] += request.produced
            case .settled, .void:
                let isSettled = request.status == .settled
                sums[.receivable, default: 0] += request.amount
                sums[.revenue, default: 0] -= request.amount
                sums[isSettled ? .billed : .unbilled, default: 0] += request.delivered
                sums[.waste, default: 0] += max(0, request.produced - request.delivered)
                sums[.unattributed, default: 0] -= max(0, request.delivered - request.produced)
            case .expired: sums[.waste, default: 0] += request.produced
            }
        }
        return sums.filter { $0.value != 0 }
    }
}

/// Random lives of random requests.
struct Generator {
    var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func number(_ range: ClosedRange<UInt32>) -> UInt32 { UInt32.random(in: range, using: &random) }
    mutating func chance(_ oneIn: Int) -> Bool { Int.random(in: 0..<oneIn, using: &random) == 0 }

    /// - Parameter contradictions: also second ends and other bodies under the same names.
    mutating func events(requests: ClosedRange<UInt64>, contradictions: Bool) -> [LedgerEvent] {
        var events: [LedgerEvent] = []
        for number in requests {
            let stations = Stations(number: number)
            if !chance(8) {
                events.append(stations.reserve(prompt: self.number(0...50), maximum: self.number(250...300)))
            }
            var made: UInt32 = 0
            for ingestAttempt in 1...UInt16(self.number(1...3)) {
                for tokenizerAttempt in 1...UInt16(self.number(1...3)) {
                    let worker = chance(2) ? Stations.worker : Stations.otherWorker
                    let produced = self.number(0...20)
                    made += produced
                    let isLost = chance(3)
                    if isLost {
                        events.append(
                            stations.lost(
                                ingestAttempt, tokenizerAttempt, received: self.number(0...produced), worker: worker))
                    }
                    if !isLost || chance(2) {
                        events.append(
                            stations.attempt(ingestAttempt, tokenizerAttempt, produced: produced, by: worker))
                    }
                }
                if chance(3) { events.append(stations.lostLine(ingestAttempt, received: self.number(0...40))) }
            }
            if !chance(6) { events.append(end(stations, made: made, by: Stations.ingest)) }
            if contradictions, chance(4) {
                events.append(end(stations, made: made, by: chance(2) ? Stations.ingest : 0x1002))
            }
            if contradictions, chance(4), var event = events.randomElement(using: &random) {
                event.producedTokens &+= 1
                event.deliveredTokens &+= 1
                events.append(event)
            }
        }
        for _ in 0..<events.count / 3 {
            if let event = events.randomElement(using: &random) { events.append(event) }
        }
        return events.shuffled(using: &random)
    }

    private mutating func end(_ stations: Stations, made: UInt32, by: UInt64) -> LedgerEvent {
        let delivered = number(0...made + 3)
        return chance(4)
            ? stations.void(delivered: delivered, by: by)
            : stations.settle(prompt: number(10...50), cached: number(0...10), delivered: delivered, by: by)
    }
}

@Suite struct RandomTests {
    static let seeds: [UInt64] = {
        if let text = ProcessInfo.processInfo.environment["LEDGER_SEED"], let seed = UInt64(text) { return [seed] }
        return Array(1...24)
    }()

    static func replay(_ seed: UInt64) -> Comment {
        "seed \(seed); again: LEDGER_SEED=\(seed) swift test --filter LedgerStoreTests.RandomTests"
    }

    private func check(_ ledger: TestLedger, against reference: Reference, _ comment: Comment) throws {
        #expect(try ledger.balances() == reference.balances, comment)
        for (number, expected) in reference.requests {
            let request = try ledger.request(number)
            let found = Reference.Expected(
                status: request.status, amount: request.amount.nanodollars, produced: Int128(request.producedTokens),
                delivered: Int128(request.deliveredTokens), reserved: request.reserved.nanodollars)
            #expect(found == expected, comment)
        }
        let audit = try ledger.audit()
        // Random answers may deliver more than was made: the audit says so, and nothing else.
        #expect(audit.findings.allSatisfy { $0.severity == .notice || $0.check == .coverage }, comment)
        #expect(audit.omitted == 0, comment)
        let short = reference.requests.values.filter { $0.delivered > $0.produced }.count
        #expect(audit.violations == short, comment)
    }

    @Test(arguments: seeds)
    func anyStreamGivesTheBalancesOfTheReference(seed: UInt64) throws {
        var generator = Generator(seed: seed)
        let events = generator.events(requests: 1...25, contradictions: true)
        let ledger = try TestLedger()
        var rest = events[...]
        while !rest.isEmpty {
            let count = min(rest.count, Int(generator.number(1...12)))
            let batch = Array(rest.prefix(count))
            try ledger.record(batch)
            if generator.chance(6) { try ledger.record(batch.shuffled(using: &generator.random)) }
            if generator.chance(6) { try ledger.reopen() }
            rest = rest.dropFirst(count)
        }
        try check(ledger, against: Reference(arrived: events), Self.replay(seed))
    }

    @Test(arguments: seeds)
    func theOrderMakesNoDifference(seed: UInt64) throws {
        var generator = Generator(seed: seed)
        let events = generator.events(requests: 1...15, contradictions: false)
        let one = try TestLedger()
        try one.record(events)
        let other = try TestLedger()
        for event in events.shuffled(using: &generator.random) { try other.record(event) }
        #expect(try one.balances() == other.balances(), Self.replay(seed))
        var (left, right) = (try one.store.reader.report(by: .worker), try other.store.reader.report(by: .worker))
        #expect(left == right, Self.replay(seed))
        left = try one.store.reader.report(by: .tenant)
        right = try other.store.reader.report(by: .tenant)
        #expect(left == right, Self.replay(seed))
        try check(other, against: Reference(arrived: events), Self.replay(seed))
    }
}
