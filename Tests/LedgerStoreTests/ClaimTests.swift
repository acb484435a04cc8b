import Foundation
import Ledger
import LedgerDatabase
import LedgerStore
import Testing
import Wire

@Suite struct ClaimTests {
    let ledger: TestLedger

    init() throws { ledger = try TestLedger(settings: LedgerSettings(claimTime: 1_000_000, checkpointRows: 8)) }

    @Test func theFirstThatAsksHasTheKey() throws {
        #expect(try ledger.claim("k", 1).outcome == .granted)
        let second = try ledger.claim("k", 2)
        #expect((second.outcome, second.requestID) == (.running, .numbered(1)))
        // The same request asks again, as its answer was lost; another tenant's key is another key.
        #expect(try ledger.claim("k", 1).outcome == .granted)
        #expect(try ledger.claim("k", 3, tenant: "umbrella").outcome == .granted)
        #expect(try ledger.claim("other", 4).outcome == .granted)
        try ledger.reopen()
        #expect(try ledger.claim("k", 2).outcome == .running)
        #expect(try ledger.audit().passed)
    }

    @Test func whatBecameOfItIsSaid() throws {
        _ = try ledger.claim("k", 1)
        let stations = Stations()
        try ledger.record(stations.reserve())
        #expect(try ledger.claim("k", 2).outcome == .running)
        #expect(try ledger.claim("k", 2, body: 8).outcome == .otherBody)
        try ledger.record(stations.attempt(produced: 3), stations.settle(delivered: 3))
        let ended = try ledger.claim("k", 2)
        #expect(
            ended == ClaimAnswer(number: 2, requestID: .numbered(1), outcome: .ended, finish: .stop, deliveredTokens: 3)
        )
        #expect(try ledger.claim("k", 2, body: 8).outcome == .otherBody)
    }

    @Test func aKeyWhoseRequestIsVoidOrHasExpiredMayBeUsedAgain() throws {
        _ = try ledger.claim("k", 1)
        try ledger.record(Stations(number: 1).reserve(), Stations(number: 1).void())
        let second = try ledger.claim("k", 2)
        #expect((second.outcome, second.requestID) == (.granted, .numbered(2)))
        try ledger.record(Stations(number: 2).reserve())
        #expect(try ledger.claim("k", 3).outcome == .running)
        ledger.now += 5_000
        #expect(try ledger.expire() == 1)
        #expect(try ledger.claim("k", 3).outcome == .granted)
        // Its ingest is gone before it has reserved.
        ledger.now += 5_000
        #expect(try ledger.claim("k", 4).outcome == .granted)
    }

    @Test func aClaimIsKeptForItsTimeWhileTheLedgerIsOpen() throws {
        _ = try ledger.claim("k", 1, elapsed: 10)
        ledger.clock.sessionBegan(Stations.ingest)
        try ledger.record(Stations().settle(delivered: 0))
        #expect(try ledger.store.forgetClaims(elapsed: 900_000) == 0)
        try ledger.reopen()
        #expect(try ledger.store.forgetClaims(elapsed: 50_000) == 0)
        #expect(try ledger.claim("k", 2, elapsed: 50_000).outcome == .ended)
        #expect(try ledger.store.forgetClaims(elapsed: 200_000) == 1)
        #expect(try ledger.claim("k", 2, elapsed: 200_001).outcome == .granted)
    }
}

@Suite struct LabelTests {
    @Test func aLabelIsKeptAndFoundWithinItsTenant() throws {
        let ledger = try TestLedger()
        for (number, tenant, label) in [
            (1, "acme", "mine"), (2, "acme", "mine"), (3, "umbrella", "mine"), (4, "acme", ""),
        ]
            as [(UInt64, String, String)]
        {
            var event = Stations(number: number, tenant: tenant).reserve()
            event.label = label
            try ledger.record(event)
        }
        let reader = ledger.store.reader
        #expect(try reader.requests(labelled: "mine", tenant: "acme").map(\.requestID) == [.numbered(2), .numbered(1)])
        #expect(try reader.requests(labelled: "mine", tenant: "umbrella").map(\.requestID) == [.numbered(3)])
        #expect(try reader.requests(labelled: "", tenant: "acme").isEmpty)
        #expect(try reader.requests(.numbered(3)).first?.label == "mine")
        #expect(try reader.requests(.numbered(3), tenant: "acme").isEmpty)
        #expect(try reader.report(by: .model, tenant: "umbrella").total.requests == 1)
        // A link of an older version cannot carry the label: the event is the same.
        #expect(try ledger.record(Stations(number: 1).reserve()).duplicates == 1)
        #expect(try ledger.audit().passed)
    }
}

@Suite struct LockTests {
    @Test func aSecondWriterIsRefusedAndToldWhoTheFirstIs() throws {
        let ledger = try TestLedger()
        #expect {
            try LedgerStore(path: ledger.path, prices: ledger.prices, now: 1, holder: "accounting-2")
        } throws: { error in
            "\(error)".contains("accounting, process \(ProcessInfo.processInfo.processIdentifier)")
        }
        #expect(throws: LedgerError.self) {
            try FileManager.default.createSymbolicLink(atPath: ledger.path + ".other", withDestinationPath: ledger.path)
            _ = try LedgerStore(path: ledger.path + ".other", prices: ledger.prices, now: 1)
        }
        // Who only reads needs no lock.
        #expect(try ledger.audit().passed)
        try ledger.reopen()
    }
}
