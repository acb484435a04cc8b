import AccountingService
import Foundation
import GRDB
import Ledger
import LedgerDatabase
import LedgerStore
import Line
import Testing
import Transport
import Wire

/// Accounting's loop over real sockets.
@Suite(.serialized) struct LoopTests {
    @Test func onlyWhatIsThereWithoutAGapIsAcknowledged() async throws {
        let accounting = try TestAccounting()
        await accounting.loop.start()
        let ingest = try TestProducer(accounting.loop.ledgerLink, role: .ingest)
        await ingest.start()
        #expect(await becomes { await ingest.isConnected })
        let epoch = ingest.epoch
        await ingest.send(first: 1, Request(number: 1).reserve(by: epoch))
        await ingest.send(first: 3, Request(number: 3).reserve(by: epoch))
        #expect(try await becomes { try accounting.store.reader.counts().requests == 2 })
        #expect(await becomes { await ingest.acknowledged == 1 })
        await ingest.send(first: 2, Request(number: 2).reserve(by: epoch))
        #expect(await becomes { await ingest.acknowledged == 3 })
        #expect(try accounting.store.reader.audit().gaps == 0)
        await ingest.stop()
        await accounting.loop.stop()
    }

    @Test func aWorkerThatSettlesLosesItsSessionAndNothingOfItIsTaken() async throws {
        let accounting = try TestAccounting()
        await accounting.loop.start()
        let worker = try TestProducer(accounting.loop.ledgerLink, role: .inferenceWorker)
        await worker.start()
        #expect(await becomes { await worker.isConnected })
        var attempt = Request().event(.attempt, .inferenceWorker, by: worker.epoch)
        attempt.producedTokens = 3
        await worker.send(first: 1, attempt, Request().settle(by: worker.epoch))
        #expect(await becomes { await worker.ended == [.protocolViolation] })
        #expect(await becomes { await worker.isConnected })
        await worker.send(first: 1, attempt)
        #expect(await becomes { await worker.acknowledged == 1 })
        let request = try #require(try accounting.store.reader.requests(RequestID(high: 1, low: 1)).first)
        #expect((request.status, request.attempts) == (.reserved, 1))
        await worker.stop()
        await accounting.loop.stop()
    }

    @Test func nobodySpeaksUnderAnothersEpochButASessionMayBeOfOneThatIsGone() async throws {
        let accounting = try TestAccounting()
        await accounting.loop.start()
        let ingest = try TestProducer(accounting.loop.ledgerLink, role: .ingest)
        await ingest.start()
        #expect(await becomes { await ingest.isConnected })
        await ingest.send(first: 1, Request().reserve(by: 77))
        #expect(await becomes { await ingest.ended == [.protocolViolation] })
        let replay = try TestProducer(accounting.loop.ledgerLink, role: .ingest, epoch: 77)
        await replay.start()
        #expect(await becomes { await replay.isConnected })
        await replay.send(first: 1, Request().reserve(by: 77), Request().settle(by: 77))
        #expect(await becomes { await replay.acknowledged == 2 })
        #expect(await becomes { await ingest.isConnected })
        // Whoever did not open the request does not end it.
        await ingest.send(first: 1, Request().event(.void, .ingest, by: ingest.epoch))
        #expect(await becomes { await ingest.ended.count == 2 })
        #expect(try accounting.store.reader.requests(RequestID(high: 1, low: 1)).first?.status == .settled)
        await ingest.stop()
        await replay.stop()
        await accounting.loop.stop()
    }

    @Test func aKeyIsClaimedOverTheLink() async throws {
        let accounting = try TestAccounting()
        await accounting.loop.start()
        let ingest = try TestProducer(accounting.loop.ledgerLink, role: .ingest)
        await ingest.start()
        #expect(await becomes { await ingest.isConnected })
        for number in 1...2 as ClosedRange<UInt64> {
            await ingest.send(
                Claim(
                    number: number, requestID: RequestID(high: 1, low: number), bodyDigest: BodyDigest(1, 2, 3, 4),
                    tenant: "acme", key: "k"))
        }
        #expect(await becomes { await ingest.answers.count == 2 })
        let answers = await ingest.answers
        #expect(answers.map(\.outcome) == [.granted, .running])
        #expect(answers.map(\.requestID.low) == [1, 1])
        let worker = try TestProducer(accounting.loop.ledgerLink, role: .inferenceWorker)
        await worker.start()
        #expect(await becomes { await worker.isConnected })
        await worker.send(
            Claim(
                number: 1, requestID: RequestID(high: 1, low: 3), bodyDigest: BodyDigest(1, 2, 3, 4), tenant: "acme",
                key: "other"))
        #expect(await becomes { await worker.ended == [.protocolViolation] })
        await ingest.stop()
        await worker.stop()
        await accounting.loop.stop()
    }

    /// The end of a request stands in no group yet when the same key is asked for again.
    @Test func anEndThatIsOnItsWayIsSeen() async throws {
        let accounting = try TestAccounting()
        await accounting.loop.start()
        let ingest = try TestProducer(accounting.loop.ledgerLink, role: .ingest)
        await ingest.start()
        #expect(await becomes { await ingest.isConnected })
        func claim(_ number: UInt64) -> Claim {
            Claim(
                number: number, requestID: RequestID(high: 1, low: number), bodyDigest: BodyDigest(1, 2, 3, 4),
                tenant: "acme", key: "k")
        }
        await ingest.send(claim(1))
        #expect(await becomes { await ingest.answers.count == 1 })
        let request = Request(number: 1)
        await ingest.send(claim(2))
        await ingest.send(first: 1, request.reserve(by: ingest.epoch), request.settle(by: ingest.epoch))
        #expect(await becomes { await ingest.answers.count == 2 })
        let answer = await ingest.answers.last
        #expect(answer?.outcome == .ended)
        #expect(answer?.deliveredTokens == 3)
        #expect(answer?.requestID.low == 1)
        await ingest.stop()
        await accounting.loop.stop()
    }

    /// The database takes no writes for longer than sessions may be silent: nothing is acknowledged, nobody is thrown
    /// out, the link is left unread, and afterwards all goes on.
    @Test func aDatabaseThatTakesNoWritesIsWaitedFor() async throws {
        let line = LineSettings(heartbeatInterval: 50_000_000, silenceLimit: 400_000_000)
        let accounting = try TestAccounting(waitingEvents: 4, lockTimeoutSeconds: 0.05, line: line)
        await accounting.loop.start()
        let ingest = try TestProducer(accounting.loop.ledgerLink, role: .ingest, line: line)
        await ingest.start()
        #expect(await becomes { await ingest.isConnected })
        let epoch = ingest.epoch
        await ingest.send(first: 1, Request(number: 1).reserve(by: epoch))
        #expect(await becomes { await ingest.acknowledged == 1 })
        #expect(accounting.presence.failure == nil)
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let other = try DatabaseQueue(path: accounting.database, configuration: configuration)
        try await other.writeWithoutTransaction { db in try db.execute(sql: "BEGIN IMMEDIATE") }
        for number in 2...9 as ClosedRange<UInt64> {
            await ingest.send(first: number, Request(number: number).reserve(by: epoch))
        }
        #expect(await becomes { accounting.presence.failure != nil })
        let held = MonotonicClock.now()
        #expect(await becomes { MonotonicClock.now() - held > 3 * line.silenceLimit })
        let turns = accounting.loop.reactor.statistics.turns
        let since = MonotonicClock.now()
        #expect(await becomes { MonotonicClock.now() - since > line.silenceLimit })
        // Its ticks and heartbeats, and no polling in between.
        #expect(accounting.loop.reactor.statistics.turns - turns < 100)
        #expect(await ingest.ended.isEmpty)
        #expect(await ingest.acknowledged == 1)
        try await other.writeWithoutTransaction { db in try db.execute(sql: "ROLLBACK") }
        #expect(await becomes { await ingest.acknowledged == 9 })
        #expect(await ingest.ended.isEmpty)
        #expect(await becomes { accounting.presence.failure == nil })
        await ingest.stop()
        await accounting.loop.stop()
    }
}
