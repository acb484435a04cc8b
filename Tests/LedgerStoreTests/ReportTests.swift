import Economics
import Ledger
import LedgerDatabase
import LedgerStore
import Testing
import Wire

@Suite struct ReportTests {
    let ledger: TestLedger

    init() throws {
        ledger = try TestLedger()
        let small = Stations(number: 1, model: "small")
        let large = Stations(number: 2, model: "large")
        let other = Stations(number: 3, tenant: "umbrella", model: "small")
        try ledger.record(
            small.reserve(), small.attempt(produced: 5, microjoules: 7, source: 1), small.settle(delivered: 4),
            large.reserve(), large.attempt(produced: 3, by: Stations.otherWorker), large.void(delivered: 3),
            other.reserve(), other.attempt(produced: 2, microjoules: 9, source: 2))
    }

    @Test func byTenant() throws {
        let report = try ledger.store.reader.report(by: .tenant)
        #expect(report.rows.map(\.name) == ["acme", "umbrella"])
        #expect(report.rows.map(\.requests) == [2, 1])
        #expect(report.rows.map(\.settled) == [1, 0])
        #expect(report.rows.map(\.void) == [1, 0])
        #expect(report.rows.map(\.reserved) == [0, 1])
        #expect(report.rows.map(\.producedTokens) == [8, 2])
        #expect(report.rows.map(\.deliveredTokens) == [7, 0])
        #expect(report.rows.map(\.billedTokens) == [4, 0])
        #expect(report.rows.map(\.wastedTokens) == [1, 0])
        #expect(report.rows.map(\.amount?.nanodollars) == [5_000, 0])
        #expect(report.rows.map(\.held?.nanodollars) == [0, 21_000])
        #expect(report.rows.map(\.measuredMicrojoules) == [7, nil])
        #expect(report.rows.map(\.modelledMicrojoules) == [nil, 9])
        #expect(report.rows.map(\.attemptsWithoutEnergy) == [1, 0])
        #expect(report.total.requests == 3)
        #expect(report.total.producedTokens == 10)
    }

    @Test func byModel() throws {
        let report = try ledger.store.reader.report(by: .model)
        #expect(report.rows.map(\.name) == ["large", "small"])
        #expect(report.rows.map(\.producedTokens) == [3, 7])
        #expect(report.rows.map(\.amount?.nanodollars) == [0, 5_000])
    }

    @Test func byWorker() throws {
        let report = try ledger.store.reader.report(by: .worker)
        #expect(report.rows.map(\.name) == ["worker-1", "worker-2"])
        #expect(report.rows.map(\.attempts) == [2, 1])
        #expect(report.rows.map(\.requests) == [2, 1])
        #expect(report.rows.map(\.producedTokens) == [7, 3])
        #expect(report.rows.map(\.promptTokens) == [20, 10])
        #expect(report.rows.allSatisfy { $0.deliveredTokens == nil && $0.amount == nil })
        #expect(report.total.deliveredTokens == 7)
    }

    @Test func sinceATime() throws {
        ledger.now += 100
        try ledger.record(Stations(number: 4).settle(delivered: 1))
        let report = try ledger.store.reader.report(by: .tenant, since: ledger.now)
        #expect(report.rows.map(\.name) == ["acme"])
        #expect(report.total.requests == 1)
        #expect(try ledger.store.reader.report(by: .tenant, since: .max).total.requests == 0)
    }

    @Test func anEmptyLedgerHasAnEmptyReport() throws {
        let empty = try TestLedger()
        let report = try empty.store.reader.report(by: .worker)
        #expect(report.rows.isEmpty)
        #expect(report.total.requests == 0)
        #expect(report.total.amount == .zero)
        #expect(try empty.audit().passed)
    }

    @Test func aRequestIsFoundByItsID() throws {
        let found = try ledger.store.reader.requests(.numbered(1))
        #expect(found.count == 1)
        #expect(found.first?.model == "small")
        #expect(found.first?.attempts == 1)
        #expect(try ledger.store.reader.requests(.numbered(99)).isEmpty)
    }

    @Test func countsAreThoseOfTheRows() throws {
        let counts = try ledger.store.reader.counts()
        #expect(counts.requests == 3)
        #expect((counts.reserved, counts.settled, counts.void, counts.expired) == (1, 1, 1, 0))
        #expect(counts.events == 9)
    }
}
