import Dispatch
import Foundation
import LedgerStore
import Synchronization
import Testing
import Wire

/// An audit beside a line at work: what has not come yet is told from what will never come.
@Suite struct PendingTests {
    private static let length: UInt64 = 30_000_000_000
    let ledger: TestLedger

    init() throws { ledger = try TestLedger() }

    /// So long after the ledger's last row.
    private func audit(after nanoseconds: UInt64) throws -> AuditResult {
        try ledger.audit(grace: AuditGrace(now: ledger.now + nanoseconds, length: Self.length))
    }

    @Test func whatHasJustEndedIsPendingAndAViolationWhenItsTimeIsOver() throws {
        try ledger.record(Stations(number: 1).reserve(), Stations(number: 1).settle(delivered: 3))
        for age in [0, 1, Self.length - 1] {
            let result = try audit(after: age)
            #expect(result.passed)
            #expect(result.findings.isEmpty)
            #expect(result.pendingRequests == 1)
            let pending = try #require(result.pending.first)
            #expect((pending.severity, pending.check, pending.sequence) == (.pending, .coverage, 3))
            #expect(pending.text.contains(RequestID.numbered(1).description))
        }
        for age in [Self.length, Self.length * 1_000] {
            let result = try audit(after: age)
            #expect(result.violations == 1)
            #expect(result.pendingRequests == 0)
            #expect(result.findings.map(\.check) == [.coverage])
        }
    }

    @Test func withoutAGraceNothingIsPending() throws {
        try ledger.record(Stations(number: 1).settle(delivered: 3))
        #expect(try ledger.audit().violations == 1)
        #expect(try ledger.audit(grace: AuditGrace(now: ledger.now, length: 0)).violations == 1)
    }

    @Test func theRecordThatComesEndsTheWait() throws {
        try ledger.record(Stations(number: 1).settle(delivered: 3), Stations(number: 2).void(delivered: 2))
        #expect(try audit(after: 0).pendingRequests == 2)
        ledger.now += 1_000_000
        try ledger.record(Stations(number: 1).attempt(produced: 2), Stations(number: 2).attempt(produced: 2))
        // Part of it is not all of it.
        #expect(try audit(after: 0).pendingRequests == 1)
        try ledger.record(Stations(number: 1).attempt(2, 1, produced: 1))
        let result = try audit(after: Self.length)
        #expect(result.passed)
        #expect(result.pendingRequests == 0)
    }

    /// A request's own end counts, not what else has come since: no stream of events keeps a fault young.
    @Test func laterEventsDoNotKeepAFaultPending() throws {
        try ledger.record(Stations(number: 1).settle(delivered: 3))
        ledger.now += Self.length
        try ledger.record(
            Stations(number: 1).attempt(produced: 1), Stations(number: 1).void(),
            Stations(number: 2).settle(delivered: 3))
        let result = try audit(after: 0)
        #expect(result.findings.filter { $0.severity == .violation }.map(\.check) == [.coverage])
        #expect(result.pendingRequests == 1)
    }

    /// A clock that was ahead when a row came makes no fault disappear until then.
    @Test func aRowFromTheFutureExcusesNothing() throws {
        try ledger.record(Stations(number: 1).settle(delivered: 3))
        func violations(before nanoseconds: UInt64) throws -> Int {
            try ledger.audit(grace: AuditGrace(now: ledger.now - nanoseconds, length: Self.length)).violations
        }
        // What has come since the audit took its time is young.
        #expect(try violations(before: 1_000_000) == 0)
        #expect(try violations(before: Self.length) == 1)
        for now in [0, UInt64.max] {
            #expect(try ledger.audit(grace: AuditGrace(now: now, length: Self.length)).violations == 1)
        }
    }

    @Test func aReturnIsAsYoungAsItsEnd() throws {
        try ledger.record(Stations(number: 1).reserve())
        ledger.now += 2_000
        #expect(try ledger.expire() == 1)
        ledger.now += Self.length * 10
        try ledger.record(Stations(number: 1).settle(delivered: 3))
        #expect(try audit(after: 0).pendingRequests == 1)
        #expect(try audit(after: Self.length).violations == 1)
    }

    @Test func manyPendingRequestsHideNoFinding() throws {
        try ledger.record(Stations(number: 1).settle(delivered: 3))
        ledger.now += Self.length
        let most = UInt64(AuditResult.findingLimit)
        for number in 2...most + 3 { try ledger.record(Stations(number: number).settle(delivered: 3)) }
        let result = try audit(after: 0)
        #expect(result.violations == 1)
        #expect(result.findings.contains { $0.text.contains(RequestID.numbered(1).description) })
        #expect(result.pendingRequests == Int(most) + 2)
        #expect(result.pending.count == AuditResult.findingLimit)
        #expect(result.omitted == 0)
    }

    /// Every planted fault of a ledger at rest is found beside requests that are pending, too.
    @Test(
        arguments: [
            ("UPDATE event SET received = 1000000 WHERE sequence = 3", .chain),
            ("UPDATE request SET produced = 3 WHERE id = 2", .request),
            ("DELETE FROM posting WHERE rowid = 2", .posting),
            ("DELETE FROM attempt WHERE event = 6", .request),
        ] as [(String, AuditCheck)])
    func aHandInTheDatabaseIsSeenBesideThem(sql: String, check: AuditCheck) throws {
        try ledger.record(
            Stations(number: 1).reserve(), Stations(number: 1).settle(delivered: 3),
            Stations(number: 2).reserve(), Stations(number: 2).settle(delivered: 3),
            Stations(number: 2).attempt(produced: 3))
        #expect(try audit(after: 0).pendingRequests == 1)
        #expect(try audit(after: 0).passed)
        try ledger.tamper(sql)
        #expect(try audit(after: 0).findings.contains { $0.check == check && $0.severity == .violation })
    }

    /// Settlements before their attempts, in transactions of their own, while audits are made one after another: whatever
    /// state an audit meets, all but this is true of it.
    @Test func anAuditBesideAWriterFindsNothingElse() throws {
        let reader = try LedgerReader(path: ledger.path)
        let store = ledger.store
        let now = ledger.now
        let isOver = Atomic(false)
        let written = DispatchGroup()
        let failed = Mutex<String?>(nil)
        DispatchQueue.global().async(group: written) {
            do {
                for number in 1...100 as ClosedRange<UInt64> {
                    let stations = Stations(number: number)
                    for (producer, events) in [
                        (Stations.ingest, [stations.reserve(), stations.settle(delivered: 3)]),
                        (Stations.worker, [stations.attempt(produced: 3)]),
                    ] {
                        let first = (number - 1) * UInt64(events.count) + 1
                        let batch = ProducerBatch(
                            producer: producer, batch: RecordBatch(first: first, events: events))
                        _ = try store.apply([batch], now: now)
                    }
                }
            } catch {
                failed.withLock { $0 = "\(error)" }
            }
            isOver.store(true, ordering: .releasing)
        }
        repeat {
            let result = try reader.audit(grace: AuditGrace(now: now, length: Self.length))
            #expect(result.findings.isEmpty, "\(result.findings.map(\.description))")
            #expect(result.pendingRequests <= 1)
        } while !isOver.load(ordering: .acquiring)
        written.wait()
        #expect(failed.withLock { $0 } == nil)
        #expect(try reader.audit().passed)
    }
}
