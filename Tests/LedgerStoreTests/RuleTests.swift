import Economics
import Foundation
import LedgerStore
import Testing
import Wire

@Suite struct RuleTests {
    let ledger: TestLedger
    let stations = Stations()

    init() throws { ledger = try TestLedger() }

    @Test func aReservationHoldsTheWorstCase() throws {
        try ledger.record(stations.reserve(prompt: 10, maximum: 20))
        #expect(try ledger.request().status == .reserved)
        #expect(try ledger.balances() == [.held: 21_000, .commitment: -21_000])
    }

    @Test func settlingBillsWhatWasDelivered() throws {
        try ledger.record(
            stations.reserve(), stations.attempt(produced: 9), stations.settle(prompt: 10, cached: 4, delivered: 7))
        let request = try ledger.request()
        #expect(request.status == .settled)
        #expect(request.amount.nanodollars == 6 * 100 + 4 * 10 + 7 * 1_000)
        #expect(request.producedTokens == 9)
        #expect(request.deliveredTokens == 7)
        #expect(request.billedTokens == 7)
        #expect(request.wastedTokens == 2)
        #expect(
            try ledger.balances()
                == [.receivable: 7_640, .revenue: -7_640, .produced: -9, .billed: 7, .waste: 2])
    }

    @Test func aVoidBillsNothing() throws {
        try ledger.record(
            stations.reserve(), stations.attempt(produced: 9, outcome: .failed), stations.void(delivered: 5))
        let request = try ledger.request()
        #expect(request.status == .void)
        #expect(request.amount == .zero)
        #expect((request.producedTokens, request.deliveredTokens, request.billedTokens) == (9, 5, 0))
        #expect(try ledger.balances() == [.produced: -9, .unbilled: 5, .waste: 4])
    }

    @Test func theSameEventAgainChangesNothing() throws {
        let events = [stations.reserve(), stations.attempt(produced: 9), stations.settle(delivered: 9)]
        try ledger.record(events)
        let before = try ledger.balances()
        let result = try ledger.record(events + events)
        #expect(result.duplicates == 6)
        #expect(result.recorded == 0)
        #expect(result.conflicts.isEmpty)
        #expect(try ledger.balances() == before)
        #expect(try ledger.audit().passed)
    }

    @Test func theSameNameWithAnotherBodyIsKeptAndDoesNotCount() throws {
        try ledger.record(stations.settle(delivered: 9))
        let result = try ledger.record(stations.settle(delivered: 8), stations.settle(delivered: 8))
        #expect(result.conflicts.map(\.reason) == [.otherBody])
        #expect(result.duplicates == 1)
        #expect(result.acknowledged[Stations.ingest] == 3)
        #expect(try ledger.request().deliveredTokens == 9)
        #expect(try ledger.store.reader.counts().conflicts == 1)
    }

    @Test func aConflictSurvivesARestartAndIsStillKnown() throws {
        try ledger.record(stations.settle(delivered: 9))
        try ledger.record(stations.settle(delivered: 8))
        try ledger.reopen()
        #expect(try ledger.record(stations.settle(delivered: 8)).duplicates == 1)
        let audit = try ledger.store.reader.audit()
        #expect(audit.findings.contains { $0.check == .exactlyOnce && $0.severity == .notice })
    }

    @Test func eventsMayComeInAnyOrder() throws {
        let events = [
            stations.reserve(), stations.lost(received: 3), stations.attempt(produced: 4, outcome: .cancelled),
            stations.attempt(1, 2, produced: 6, by: Stations.otherWorker), stations.settle(delivered: 9),
        ]
        try ledger.record(events)
        let expected = try ledger.balances()
        var orders = Set<[Int]>()
        var random = SplitMix(seed: 1)
        while orders.count < 40 { orders.insert(Array(0..<events.count).shuffled(using: &random)) }
        for order in orders {
            let other = try TestLedger()
            for index in order { try other.record(events[index]) }
            #expect(try other.balances() == expected, "order \(order)")
            #expect(try other.audit().passed, "order \(order)")
        }
    }

    @Test func onlyTheFirstOfTwoEndsCounts() throws {
        let result = try ledger.record(
            stations.attempt(produced: 9), stations.settle(delivered: 9), stations.void(),
            stations.settle(delivered: 9, by: 0x1002))
        #expect(result.conflicts.map(\.reason) == [.secondEnd, .secondEnd])
        #expect(try ledger.request().status == .settled)
        #expect(try ledger.balances()[.receivable] == 10_000)
        let audit = try ledger.audit()
        #expect(audit.passed)
        #expect(audit.findings.count == 2)
    }

    @Test func twoIngestsOfOneRequestHoldItOnce() throws {
        try ledger.record(stations.reserve(maximum: 20), stations.reserve(maximum: 30, by: 0x1002))
        #expect(try ledger.balances()[.held] == 31_000)
        try ledger.record(stations.settle(delivered: 0))
        #expect(try ledger.balances()[.held] == nil)
    }

    @Test func theWorkersOwnRecordCountsBeforeItsDispatchers() throws {
        try ledger.record(stations.reserve(), stations.lost(received: 3))
        #expect(try ledger.request().producedTokens == 3)
        try ledger.record(stations.attempt(produced: 5, outcome: .cancelled))
        #expect(try ledger.request().producedTokens == 5)
        #expect(try ledger.request().attempts == 2)
        #expect(try ledger.balances()[.open] == 5)
        #expect(try ledger.audit().passed)
    }

    @Test func theSameIDOfTwoTenantsIsTwoRequests() throws {
        let other = Stations(tenant: "umbrella")
        try ledger.record(stations.settle(delivered: 1), other.settle(delivered: 2))
        #expect(try ledger.store.reader.requests(.numbered(1)).map(\.tenant) == ["acme", "umbrella"])
        #expect(try ledger.balances("umbrella")[.receivable] == 3_000)
    }

    @Test func whatNobodyResolvesExpiresAndIsWaste() throws {
        try ledger.record(stations.reserve(), stations.attempt(produced: 6))
        ledger.now += 999
        #expect(try ledger.store.expire(now: ledger.now) == 0)
        ledger.now += 2
        #expect(try ledger.store.expire(now: ledger.now) == 1)
        #expect(try ledger.store.expire(now: ledger.now) == 0)
        #expect(try ledger.request().status == .expired)
        #expect(try ledger.balances() == [.produced: -6, .waste: 6])
        #expect(try ledger.audit().passed)
    }

    @Test func aSettleAfterTheExpiryBillsNothingAndIsReported() throws {
        try ledger.record(stations.reserve())
        ledger.now += 2_000
        #expect(try ledger.store.expire(now: ledger.now) == 1)
        let result = try ledger.record(stations.attempt(produced: 6), stations.settle(delivered: 6))
        #expect(result.conflicts.map(\.reason) == [.lateEnd])
        #expect(try ledger.request().status == .expired)
        #expect(try ledger.balances() == [.produced: -6, .waste: 6])
        let audit = try ledger.audit()
        #expect(audit.passed)
        #expect(audit.findings.contains { $0.text.contains("expired") })
    }

    @Test func expiryCountsFromWhenTheLedgerHeardOfIt() throws {
        // Its producer's clock stands at 5: a replay after a long outage expires nothing that is settled next.
        try ledger.record(stations.reserve())
        #expect(try ledger.store.expire(now: ledger.now) == 0)
    }

    @Test func expiryIsBounded() throws {
        let small = try TestLedger(settings: LedgerSettings(timeToLive: 1_000, expiryBatch: 2))
        for number in 1...5 as ClosedRange<UInt64> { try small.record(Stations(number: number).reserve()) }
        small.now += 2_000
        var counts: [Int] = []
        while let count = try? small.store.expire(now: small.now), count > 0 { counts.append(count) }
        #expect(counts == [2, 2, 1])
    }

    @Test func pricesHoldFromTheFirstEventOfARequest() throws {
        try ledger.record(stations.reserve())
        try ledger.reopen(prices: TestLedger.prices(input: 0, cached: 0, output: 5))
        try ledger.record(stations.settle(delivered: 2), Stations(number: 2).settle(delivered: 2))
        #expect(try ledger.request(1).amount.nanodollars == 3_000)
        #expect(try ledger.request(2).amount.nanodollars == 10)
        #expect(try ledger.audit().findings.filter { $0.check != .coverage }.isEmpty)
    }

    @Test func anUnchangedPriceListIsNotNotedAgain() throws {
        try ledger.record(stations.reserve())
        let rows = try ledger.store.reader.counts().events
        try ledger.reopen()
        #expect(try ledger.store.reader.counts().events == rows)
    }

    @Test func acknowledgesTheLastNumberOfEachProducer() throws {
        let result = try ledger.store.apply(
            [
                ProducerBatch(
                    producer: 1, batch: RecordBatch(first: 1, events: [stations.reserve(), stations.void()])),
                ProducerBatch(producer: 2, batch: RecordBatch(first: 1, events: [stations.attempt(produced: 1)])),
                ProducerBatch(
                    producer: 1, batch: RecordBatch(first: 3, events: [Stations(number: 2).reserve()])),
            ], now: ledger.now)
        #expect(result.acknowledged == [1: 3, 2: 1])
        #expect(result.gaps.isEmpty)
    }

    @Test func numbersThatNeverCameAreReported() throws {
        func send(_ first: UInt64, _ request: UInt64) throws -> ApplyResult {
            try ledger.store.apply(
                [
                    ProducerBatch(
                        producer: 1, batch: RecordBatch(first: first, events: [Stations(number: request).reserve()]))
                ], now: ledger.now)
        }
        #expect(try send(1, 1).gaps.isEmpty)
        #expect(try send(5, 2).gaps.map(\.numbers) == [2...4])
        #expect(try send(5, 2).gaps.isEmpty)
        #expect(try send(1, 1).gaps.isEmpty)
        let audit = try ledger.audit()
        #expect(audit.gaps == 1)
        #expect(audit.passed)
    }

    @Test func absurdNumbersDoNotTrap() throws {
        var event = stations.attempt(produced: .max, microjoules: .max, source: 2, afterCancel: .max)
        event.cachedTokens = .max
        let result = try ledger.store.apply(
            [
                ProducerBatch(
                    producer: .max,
                    batch: RecordBatch(
                        first: .max,
                        events: [
                            event, stations.settle(prompt: .max, cached: .max, delivered: .max),
                            stations.reserve(prompt: .max, maximum: .max),
                        ]))
            ], now: .max)
        #expect(result.acknowledged == [.max: .max])
        #expect(try ledger.store.reader.report(by: .tenant).total.modelledMicrojoules == nil)
        #expect(try ledger.audit().passed)
    }

    @Test func aRefusedTransactionLeavesNothing() throws {
        try ledger.record(stations.reserve())
        try ledger.tamper("DROP TABLE attempt")
        let before = try ledger.store.reader.counts()
        #expect(throws: LedgerError.self) {
            try ledger.record(Stations(number: 2).reserve(), stations.attempt(produced: 1))
        }
        #expect(try ledger.store.reader.counts() == before)
    }
}
