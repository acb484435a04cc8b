import Seeds
import Economics
import Foundation
import Ledger
import LedgerDatabase
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
        var random = SeededGenerator(seed: 1)
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
        #expect(result.conflicts.map(\.reason) == [.secondEnd, .foreignRequest])
        #expect(try ledger.request().status == .settled)
        #expect(try ledger.balances()[.receivable] == 10_000)
        let audit = try ledger.audit()
        #expect(audit.passed)
        #expect(audit.findings.count == 2)
    }

    @Test func onlyTheIngestThatOpenedARequestSpeaksOfIt() throws {
        let result = try ledger.record(
            stations.reserve(maximum: 20), stations.reserve(maximum: 30, by: 0x1002),
            stations.settle(delivered: 3, by: 0x1002), stations.void(by: 0x1002))
        #expect(result.conflicts.map(\.reason) == [.foreignRequest, .foreignRequest, .foreignRequest])
        #expect(result.offenders == [0x1002: .foreignRequest])
        #expect(try ledger.balances() == [.held: 21_000, .commitment: -21_000])
        try ledger.reopen()
        #expect(try ledger.record(stations.void(by: 0x1003)).offenders == [0x1003: .foreignRequest])
        try ledger.record(stations.attempt(produced: 2), stations.settle(delivered: 2))
        #expect(try ledger.balances()[.receivable] == 3_000)
        let audit = try ledger.audit()
        #expect(audit.passed)
        #expect(audit.findings.count == 4)
    }

    @Test func nobodyStatesMoreTokensThanWereReserved() throws {
        try ledger.record(stations.reserve(maximum: 20))
        let result = try ledger.record(
            stations.attempt(produced: 21), stations.lost(1, 2, received: 21), stations.settle(delivered: 21))
        #expect(result.conflicts.map(\.reason) == [.beyondReserved, .beyondReserved, .beyondReserved])
        #expect(result.offenders.count == 3)
        #expect(try ledger.request().status == .reserved)
        // The same again is known.
        #expect(try ledger.record(stations.attempt(produced: 21)).duplicates == 1)
        try ledger.record(stations.attempt(produced: 20), stations.settle(delivered: 20))
        #expect(try ledger.request().billedTokens == 20)
        #expect(try ledger.audit().passed)
    }

    @Test func aRequestHasABoundedNumberOfAttempts() throws {
        try ledger.record(stations.reserve())
        let result = try ledger.record((1...258 as ClosedRange<UInt16>).map { stations.attempt(1, $0, produced: 0) })
        #expect(result.conflicts.map(\.reason) == [.tooManyAttempts, .tooManyAttempts])
        #expect(try ledger.request().attempts == 256)
        try ledger.record(stations.settle(delivered: 0))
        #expect(try ledger.audit().passed)
    }

    @Test func aReservationWithoutALimitHasNone() throws {
        try ledger.record(
            stations.reserve(maximum: 0), stations.attempt(produced: 4_000), stations.settle(delivered: 4_000))
        #expect(try ledger.request().billedTokens == 4_000)
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
        #expect(try ledger.expire() == 0)
        ledger.now += 2
        #expect(try ledger.expire() == 1)
        #expect(try ledger.expire() == 0)
        #expect(try ledger.request().status == .expired)
        #expect(try ledger.balances() == [.produced: -6, .waste: 6])
        #expect(try ledger.audit().passed)
    }

    @Test func aSettleAfterTheExpiryBillsAfterAll() throws {
        try ledger.record(stations.reserve())
        ledger.now += 2_000
        #expect(try ledger.expire() == 1)
        let result = try ledger.record(stations.attempt(produced: 6), stations.settle(delivered: 6))
        #expect(result.conflicts.isEmpty)
        let request = try ledger.request()
        #expect((request.status, request.billedTokens) == (.settled, 6))
        #expect(try ledger.balances() == [.receivable: 7_000, .revenue: -7_000, .produced: -6, .billed: 6])
        let audit = try ledger.audit()
        #expect(audit.passed)
        #expect(audit.findings.contains { $0.severity == .notice && $0.text.contains("had expired") })
        // And once only.
        #expect(try ledger.record(stations.settle(delivered: 6)).duplicates == 1)
        #expect(try ledger.record(stations.void()).conflicts.map(\.reason) == [.secondEnd])
    }

    @Test func aReservationLivesAsLongAsItsIngest() throws {
        ledger.clock.sessionBegan(Stations.ingest)
        try ledger.record(stations.reserve(), Stations(number: 2).reserve(by: 0x1002))
        ledger.now += 5_000_000
        // Only the ingest that has no session lost its request.
        #expect(try ledger.expire() == 1)
        #expect(try ledger.request(1).status == .reserved)
        #expect(try ledger.request(2).status == .expired)
        ledger.clock.sessionEnded(Stations.ingest, now: ledger.now)
        ledger.now += 999
        #expect(try ledger.expire() == 0)
        // Accounting starts again: the time begins anew.
        try ledger.reopen()
        ledger.now += 999
        #expect(try ledger.expire() == 0)
        ledger.now += 1
        #expect(try ledger.expire() == 1)
    }

    @Test func aStepOfTheWallClockExpiresNothing() throws {
        try ledger.record(stations.reserve())
        let clock = ledger.clock
        let expired = try ledger.store.expire(
            now: .max, isGone: { clock.isGone($0, now: ledger.now) }, unowned: { _ in [] })
        #expect(expired == 0)
    }

    @Test func aRequestOfWhichNoIngestSpokeExpiresInItsOwnTime() throws {
        try ledger.record(stations.attempt(produced: 3))
        ledger.now += 5_000
        #expect(try ledger.expire() == 0)
        ledger.now += 1_000
        #expect(try ledger.expire() == 1)
        #expect(try ledger.request().status == .expired)
        #expect(try ledger.audit().passed)
    }

    @Test func expiryCountsFromWhenTheLedgerHeardOfIt() throws {
        // Its producer's clock stands at 5: a replay after a long outage expires nothing that is settled next.
        try ledger.record(stations.reserve())
        #expect(try ledger.expire() == 0)
    }

    @Test func expiryIsBounded() throws {
        let small = try TestLedger(settings: LedgerSettings(expiryBatch: 2))
        for number in 1...5 as ClosedRange<UInt64> { try small.record(Stations(number: number).reserve()) }
        small.now += 2_000
        var counts: [Int] = []
        while let count = try? small.expire(), count > 0 { counts.append(count) }
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

    private func batch(_ requests: ClosedRange<UInt64>, first: UInt64? = nil, isOrphan: Bool = false) -> ProducerBatch {
        ProducerBatch(
            producer: Stations.ingest, isOrphan: isOrphan,
            batch: RecordBatch(
                first: first ?? requests.lowerBound, events: requests.map { Stations(number: $0).reserve() }))
    }

    @Test func acknowledgesUpToTheFirstThatIsMissing() throws {
        let result = try ledger.store.apply(
            [
                batch(1...2), batch(3...3),
                ProducerBatch(
                    producer: Stations.worker, batch: RecordBatch(first: 1, events: [stations.attempt(produced: 1)])),
            ], now: ledger.now)
        #expect(result.acknowledged == [Stations.ingest: 3, Stations.worker: 1])
        // 101 to 300 have not come: what is on disk beyond them is not acknowledged, and nothing is given up.
        #expect(try ledger.store.apply([batch(4...100)], now: 1).acknowledged == [Stations.ingest: 100])
        let beyond = try ledger.store.apply([batch(301...500)], now: 1)
        #expect(beyond.acknowledged == [Stations.ingest: 100])
        #expect(beyond.gaps.isEmpty)
        #expect(beyond.recorded == 200)
        let missing = try ledger.store.apply([batch(101...300)], now: 1)
        #expect(missing.acknowledged == [Stations.ingest: 500])
        #expect(missing.gaps.isEmpty)
        #expect(try ledger.audit().gaps == 0)
    }

    @Test func afterARestartWhatCameBeyondAGapIsSentAgain() throws {
        #expect(try ledger.store.apply([batch(3...4)], now: 1).acknowledged == [Stations.ingest: 0])
        try ledger.reopen()
        #expect(try ledger.store.apply([batch(1...2)], now: 1).acknowledged == [Stations.ingest: 2])
        let again = try ledger.store.apply([batch(3...4)], now: 1)
        #expect((again.acknowledged, again.duplicates) == ([Stations.ingest: 4], 2))
    }

    @Test func onlyASpoolThatIsGoneLeavesAGap() throws {
        _ = try ledger.store.apply([batch(1...1)], now: 1)
        _ = try ledger.store.apply([batch(5...6), batch(9...9)], now: 1)
        let adopted = try ledger.store.apply([batch(12...12, isOrphan: true)], now: 1)
        #expect(adopted.gaps.map(\.numbers) == [2...4, 7...8, 10...11])
        #expect(adopted.acknowledged == [Stations.ingest: 12])
        let audit = try ledger.audit()
        #expect(audit.gaps == 3)
        #expect(audit.passed)
    }

    @Test func aBatchThatIsNotItsProducersIsNotTakenAtAll() throws {
        func refused(_ role: StationRole?, _ producer: UInt64, first: UInt64 = 1, _ events: LedgerEvent...) throws
            -> Bool
        {
            let honest = ProducerBatch(
                producer: 0x1009, role: .ingest,
                batch: RecordBatch(first: 1, events: [Stations(number: 9).reserve(by: 0x1009)]))
            let result = try ledger.store.apply(
                [
                    ProducerBatch(
                        producer: producer, role: role, batch: RecordBatch(first: first, events: events)), honest,
                ], now: ledger.now)
            #expect(result.acknowledged[0x1009] == 1)
            return result.refused.map(\.producer) == [producer] && result.acknowledged[producer] == nil
        }
        #expect(
            try refused(.inferenceWorker, Stations.worker, stations.attempt(produced: 1), stations.settle(delivered: 9))
        )
        #expect(try refused(.inferenceWorker, Stations.ingest, stations.settle(delivered: 9)))
        #expect(try refused(.inferenceWorker, Stations.worker, stations.lost(received: 1)))
        #expect(try refused(.tokenizer, Stations.tokenizer, stations.attempt(produced: 1)))
        #expect(try refused(.tokenizer, Stations.tokenizer, stations.lostLine(received: 1)))
        #expect(try refused(.ingest, Stations.ingest, stations.reserve(), stations.attempt(produced: 1)))
        #expect(try refused(.ingest, 0x1002, stations.settle(delivered: 9)))
        #expect(try refused(nil, Stations.ingest, stations.reserve(), stations.attempt(produced: 1)))
        #expect(try refused(.ingest, Stations.ingest, first: 0, stations.reserve()))
        #expect(try refused(.ingest, Stations.ingest, first: .max, stations.reserve(), stations.void()))
        #expect(try ledger.store.reader.counts().requests == 1)
        #expect(try !refused(.ingest, Stations.ingest, stations.reserve(), stations.lostLine(received: 1)))
        #expect(try !refused(.tokenizer, Stations.tokenizer, stations.lost(received: 1)))
        #expect(try !refused(.inferenceWorker, Stations.worker, stations.attempt(produced: 1)))
        #expect(try ledger.audit().passed)
    }

    @Test func absurdNumbersDoNotTrap() throws {
        var event = stations.attempt(produced: .max, by: .max, microjoules: .max, source: 2, afterCancel: .max)
        event.cachedTokens = .max
        let result = try ledger.store.apply(
            [
                ProducerBatch(producer: .max, batch: RecordBatch(first: .max, events: [event])),
                ProducerBatch(
                    producer: Stations.ingest,
                    batch: RecordBatch(
                        first: 1,
                        events: [
                            stations.settle(prompt: .max, cached: .max, delivered: .max),
                            stations.reserve(prompt: .max, maximum: .max),
                        ])),
            ], now: .max)
        #expect(result.acknowledged == [.max: 0, Stations.ingest: 2])
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
