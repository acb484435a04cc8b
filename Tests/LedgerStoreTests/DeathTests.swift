import Economics
import Ledger
import LedgerDatabase
import LedgerStore
import Testing
import Wire

/// Who records what when a station dies: what each death leaves in the ledger.
@Suite struct DeathTests {
    let ledger: TestLedger
    let stations = Stations()

    init() throws { ledger = try TestLedger() }

    @Test func workerDiesAndAnotherFinishes() throws {
        try ledger.record(
            stations.reserve(), stations.lost(1, 1, received: 4),
            stations.attempt(1, 2, produced: 6, by: Stations.otherWorker), stations.settle(delivered: 10))
        let request = try ledger.request()
        #expect((request.producedTokens, request.deliveredTokens, request.billedTokens) == (10, 10, 10))
        #expect(try ledger.balances()[.waste] == nil)
        let report = try ledger.store.reader.report(by: .worker)
        #expect(report.rows.map(\.name) == ["worker-1", "worker-2"])
        #expect(report.rows.map(\.lostAttempts) == [1, 0])
        #expect(report.rows.map(\.producedTokens) == [4, 6])
        #expect(try ledger.audit().passed)
    }

    @Test func workerThatWasOnlySilentRecordsLater() throws {
        // It made more than its dispatcher saw; what nobody took is waste.
        try ledger.record(
            stations.reserve(), stations.lost(1, 1, received: 4),
            stations.attempt(1, 2, produced: 6, by: Stations.otherWorker), stations.settle(delivered: 10),
            stations.attempt(1, 1, produced: 7, outcome: .cancelled))
        #expect(try ledger.request().producedTokens == 13)
        #expect(try ledger.balances()[.waste] == 3)
        let audit = try ledger.audit()
        #expect(audit.passed)
        #expect(audit.findings.isEmpty)
    }

    @Test func tokenizerDiesAndItsWorkersRecordTheirOwn() throws {
        // The workers' sessions end: they cancel and record. Ingest dispatches again.
        try ledger.record(
            stations.reserve(), stations.attempt(1, 1, produced: 5, outcome: .cancelled),
            stations.attempt(2, 1, produced: 6), stations.settle(delivered: 10))
        #expect(try ledger.request().producedTokens == 11)
        #expect(try ledger.balances()[.waste] == 1)
        #expect(try ledger.audit().passed)
    }

    @Test func ingestsRecordOfALostTokenizerIsAFloor() throws {
        try ledger.record(
            stations.reserve(), stations.lostLine(1, received: 4),
            stations.attempt(1, 1, produced: 5, outcome: .cancelled),
            stations.attempt(2, 1, produced: 6), stations.settle(delivered: 10))
        #expect(try ledger.request().producedTokens == 11)
        #expect(try ledger.audit().passed)
    }

    @Test func tokenizerAndWorkerDieTogether() throws {
        // Nobody below is left to say what was made: what ingest received stands for it.
        try ledger.record(
            stations.reserve(), stations.lostLine(1, received: 4), stations.attempt(2, 1, produced: 6),
            stations.settle(delivered: 10))
        let request = try ledger.request()
        #expect((request.producedTokens, request.deliveredTokens) == (10, 10))
        #expect(try ledger.audit().passed)
    }

    @Test func ingestDiesAndItsRequestExpires() throws {
        // The tokenizer's session ends, it cancels below; the worker records. Nobody settles.
        try ledger.record(stations.reserve(), stations.attempt(produced: 8, outcome: .cancelled, afterCancel: 1))
        ledger.now += 2_000
        #expect(try ledger.expire() == 1)
        #expect(try ledger.request().status == .expired)
        #expect(try ledger.balances() == [.produced: -8, .waste: 8])
        #expect(try ledger.audit().passed)
    }

    @Test func ingestDiesAfterItsSettleWasInTheSpool() throws {
        // Its spool is adopted: the reservation came from it, the settle comes from its orphan, under its epoch.
        try ledger.record(stations.reserve(), stations.attempt(produced: 8))
        let orphan = ProducerBatch(
            producer: Stations.ingest,
            batch: RecordBatch(first: 1, events: [stations.reserve(), stations.settle(delivered: 8)]))
        let result = try ledger.store.apply([orphan], now: ledger.now)
        #expect(result.duplicates == 1)
        #expect(result.recorded == 1)
        #expect(result.acknowledged == [Stations.ingest: 2])
        #expect(try ledger.request().status == .settled)
        #expect(try ledger.audit().passed)
    }

    @Test func ingestDiesAndTheClientAsksAnotherOne() throws {
        // Ids are the ingests' own: the second request is another one.
        let again = Stations(number: 2)
        try ledger.record(
            stations.reserve(), stations.attempt(1, 1, produced: 8, outcome: .cancelled),
            again.reserve(by: 0x1002), again.attempt(1, 1, produced: 9, by: Stations.otherWorker),
            again.settle(delivered: 9, by: 0x1002))
        ledger.now += 2_000
        #expect(try ledger.expire() == 1)
        #expect(try ledger.request(1).status == .expired)
        #expect(try ledger.request(2).billedTokens == 9)
        #expect(try ledger.audit().passed)
    }

    @Test func accountingDiesBetweenCommitAndAcknowledgement() throws {
        let batch = ProducerBatch(
            producer: Stations.ingest,
            batch: RecordBatch(first: 1, events: [stations.reserve(), stations.settle(delivered: 0)]))
        let first = try ledger.store.apply([batch], now: ledger.now)
        try ledger.reopen()
        let second = try ledger.store.apply([batch], now: ledger.now)
        #expect(first.acknowledged == second.acknowledged)
        #expect(second.duplicates == 2)
        #expect(try ledger.request().amount.nanodollars == 1_000)
    }

    @Test func clientLeavesAndTheCancelIsPriced() throws {
        try ledger.record(
            stations.reserve(),
            stations.attempt(produced: 8, outcome: .cancelled, microjoules: 40, source: 2, afterCancel: 2),
            stations.settle(delivered: 5))
        let total = try ledger.store.reader.report(by: .tenant).total
        #expect(total.billedTokens == 5)
        #expect(total.wastedTokens == 3)
        #expect(total.tokensAfterCancel == 2)
        #expect(total.modelledMicrojoules == 40)
        #expect(total.measuredMicrojoules == nil)
    }
}
