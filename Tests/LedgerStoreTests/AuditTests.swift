import Seeds
import Economics
import Foundation
import GRDB
import Ledger
import LedgerDatabase
import LedgerStore
import Testing
import Wire

@Suite struct AuditTests {
    let ledger: TestLedger

    init() throws {
        ledger = try TestLedger()
        for number in 1...12 as ClosedRange<UInt64> {
            let stations = Stations(number: number)
            try ledger.record(
                stations.reserve(), stations.lost(received: 2), stations.attempt(produced: 5),
                number % 4 == 0 ? stations.void(delivered: 1) : stations.settle(delivered: 5))
        }
        try ledger.record(Stations(number: 1).settle(delivered: 4), Stations(number: 2).void())
        try ledger.record(Stations(number: 13).reserve())
        ledger.now += 2_000
        _ = try ledger.expire()
    }

    @Test func aSoundLedgerPasses() throws {
        let result = try ledger.audit()
        #expect(result.passed)
        #expect(result.findings.map(\.severity) == [.notice, .notice])
        #expect(result.counts == (try ledger.store.reader.counts()))
        #expect(result.checkpoints >= 5)
        #expect((result.producedTokens, result.deliveredTokens, result.billedTokens) == (60, 48, 45))
        #expect(result.wastedTokens == 12)
        #expect(result.trialBalance.filter { $0.account.unit == .tokens }.reduce(0) { $0 + $1.balance } == 0)
        #expect(result.trialBalance.filter { $0.account.unit == .nanodollars }.reduce(0) { $0 + $1.balance } == 0)
    }

    /// Each change must be seen by the check that is there for it.
    @Test(
        arguments: [
            ("UPDATE event SET body = zeroblob(40) WHERE sequence = 9", .chain),
            ("UPDATE event SET received = received + 1 WHERE sequence = 9", .chain),
            ("UPDATE event SET kind = 3 WHERE sequence = 5 AND kind = 2", .chain),
            ("UPDATE event SET name = x'00' WHERE sequence = 9", .chain),
            ("DELETE FROM event WHERE sequence = 9", .chain),
            (
                """
                DELETE FROM event WHERE sequence = 9; UPDATE event SET sequence = -sequence WHERE sequence > 9;
                UPDATE event SET sequence = -sequence - 1 WHERE sequence < 0
                """, .chain
            ),
            (
                "INSERT INTO event SELECT sequence + 1, kind, received, x'01', body, hash FROM event ORDER BY 1 DESC LIMIT 1",
                .chain
            ),
            (
                """
                UPDATE event SET sequence = -1 WHERE sequence = 20; UPDATE event SET sequence = 20 WHERE sequence = 21;
                UPDATE event SET sequence = 21 WHERE sequence = -1
                """, .chain
            ),
            ("DELETE FROM event WHERE sequence > 20", .checkpoint),
            ("DELETE FROM event WHERE sequence = (SELECT max(sequence) FROM event)", .checkpoint),
            ("DELETE FROM checkpoint WHERE number = 2", .checkpoint),
            ("UPDATE checkpoint SET sequence = sequence + 1 WHERE number = 2", .checkpoint),
            ("UPDATE checkpoint SET signature = zeroblob(64) WHERE number = 2", .checkpoint),
            ("UPDATE checkpoint SET made_at = made_at + 1 WHERE number = 2", .checkpoint),
            ("UPDATE meta SET value = zeroblob(112) WHERE name = 'head'", .checkpoint),
            ("DELETE FROM meta WHERE name = 'head'", .checkpoint),
            ("DELETE FROM meta WHERE name = 'public-key'", .checkpoint),
            ("UPDATE posting SET amount = amount + 1 WHERE rowid = 5", .posting),
            ("UPDATE posting SET debit = credit, credit = debit WHERE rowid = 5", .posting),
            ("UPDATE posting SET tenant = 'umbrella' WHERE rowid = 5", .posting),
            ("DELETE FROM posting WHERE rowid = 5", .posting),
            ("DELETE FROM posting WHERE rowid = (SELECT max(rowid) FROM posting)", .posting),
            ("INSERT INTO posting VALUES (3, 'acme', 1, 2, 1000)", .posting),
            ("UPDATE balance SET debits = debits + 1, credits = credits + 1 WHERE account = 1", .balance),
            ("UPDATE balance SET debits = debits + 1 WHERE account = 1", .balance),
            ("UPDATE balance SET tenant = 'umbrella' WHERE account = 1", .balance),
            ("DELETE FROM balance WHERE account = 1", .balance),
            ("INSERT INTO balance VALUES ('acme', 99, 0, 0, 0, 0)", .balance),
            ("UPDATE request SET state = 2 WHERE id = 2", .request),
            ("UPDATE request SET state = 9 WHERE id = 2", .request),
            ("UPDATE balance SET debits_high = 1, credits_high = 1 WHERE account = 1", .balance),
            ("UPDATE balance SET account = 1000 WHERE account = 1", .balance),
            ("UPDATE request SET state = 999 WHERE id = 2", .request),
            ("UPDATE request SET owner = 4 WHERE id = 2", .request),
            ("UPDATE request SET label = 'x' WHERE id = 2", .request),
            ("UPDATE event SET kind = 1000 WHERE sequence = 5", .chain),
            ("UPDATE attempt SET witness = 999 WHERE event = 4", .request),
            ("UPDATE request SET amount = 0 WHERE id = 2", .request),
            ("UPDATE request SET produced = produced + 1 WHERE id = 2", .request),
            ("UPDATE request SET tenant = 'umbrella' WHERE id = 2", .request),
            ("DELETE FROM request WHERE id = 2", .request),
            ("UPDATE attempt SET counted = counted + 1 WHERE event = 4", .request),
            ("UPDATE attempt SET worker = 'other' WHERE event = 4", .request),
            ("DELETE FROM attempt WHERE event = 4", .request),
            ("DELETE FROM conflict", .exactlyOnce),
            ("UPDATE conflict SET reason = 3", .exactlyOnce),
            ("INSERT INTO conflict VALUES (4, 2, 1)", .exactlyOnce),
            ("DROP INDEX request_open", .schema),
            ("CREATE TABLE other (x)", .schema),
            ("ALTER TABLE request ADD COLUMN x INTEGER", .schema),
        ] as [(String, AuditCheck)])
    func aHandInTheDatabaseIsSeen(sql: String, check: AuditCheck) throws {
        try ledger.tamper(sql)
        let result = try ledger.audit()
        #expect(!result.passed)
        #expect(
            result.findings.contains { $0.check == check && $0.severity == .violation },
            "\(result.findings.map(\.description))")
    }

    @Test func rowsOfTheRecordCannotBeChangedByAPlainStatement() throws {
        let queue = try DatabaseQueue(path: ledger.path)
        for sql in [
            "UPDATE event SET received = 0", "DELETE FROM event", "UPDATE posting SET amount = 1",
            "DELETE FROM checkpoint", "DELETE FROM conflict",
        ] {
            #expect(throws: DatabaseError.self) { try queue.write { try $0.execute(sql: sql) } }
        }
        #expect(try ledger.audit().passed)
    }

    @Test func aLedgerWithoutItsGuardsIsSeen() throws {
        try DatabaseQueue(path: ledger.path).write { try $0.execute(sql: "DROP TRIGGER event_no_delete") }
        #expect(try ledger.audit().findings.contains { $0.check == .schema })
    }

    @Test func aReturnToAnOlderStateIsSeenByAnAnchor() throws {
        let older = ledger.path + ".older"
        try DatabaseQueue(path: ledger.path).backup(to: DatabaseQueue(path: older))
        try ledger.record(Stations(number: 50).settle(delivered: 0))
        let anchor = try #require(try ledger.store.reader.head())
        #expect(try ledger.audit(anchor: anchor).passed)
        let reader = try LedgerReader(path: older)
        #expect(try reader.audit().passed)
        let result = try reader.audit(anchor: anchor)
        #expect(result.findings.contains { $0.check == .checkpoint && $0.text.contains("cut") })
    }

    @Test func anAnchorOfYesterdayStillHolds() throws {
        let anchor = try #require(try ledger.store.reader.head())
        for number in 60...90 as ClosedRange<UInt64> {
            try ledger.record(Stations(number: number).settle(delivered: 0))
        }
        #expect(try ledger.audit(anchor: anchor).passed)
        var forged = anchor
        forged.hash[0] ^= 1
        #expect(try !ledger.audit(anchor: forged).passed)
    }

    @Test func aLedgerMadeAnewUnderAnotherKeyIsSeenByTheKeyGiven() throws {
        let key = try ledger.audit().publicKey
        let other = try TestLedger()
        try other.record(Stations().settle(delivered: 0))
        #expect(try other.audit().passed)
        #expect(try !other.audit(publicKey: key).passed)
        #expect(try ledger.audit(publicKey: key).passed)
    }

    @Test func deliveredTokensWithoutAttemptsAreSeen() throws {
        try ledger.record(Stations(number: 70).settle(delivered: 3))
        let result = try ledger.audit()
        #expect(
            result.findings.contains { $0.check == .coverage && $0.text.contains(RequestID.numbered(70).description) })
        #expect(try ledger.balances()[.unattributed] == -3)
        try ledger.record(Stations(number: 70).attempt(produced: 3))
        #expect(try ledger.audit().passed)
        #expect(try ledger.balances()[.unattributed] == nil)
    }

    @Test func theKeyIsItsOwnersAlone() throws {
        let attributes = try FileManager.default.attributesOfItem(atPath: ledger.path + ".key")
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
    }

    @Test func withoutItsKeyALedgerIsNotOpenedButCanBeAudited() throws {
        try FileManager.default.removeItem(atPath: ledger.path + ".key")
        #expect { try ledger.reopen() } throws: { error in
            guard case .key = error as? LedgerError else { return false }
            return true
        }
        #expect(try ledger.audit().passed)
        let other = try TestLedger()
        try FileManager.default.copyItem(atPath: other.path + ".key", toPath: ledger.path + ".key")
        #expect(throws: LedgerError.self) { try ledger.reopen() }
    }

    @Test func whatIsNoLedgerIsSaidSo() throws {
        #expect(throws: LedgerError.self) { try LedgerReader(path: ledger.path + ".none") }
        let text = ledger.path + ".text"
        try Data(repeating: 0x41, count: 4_096).write(to: URL(fileURLWithPath: text))
        #expect(throws: LedgerError.self) { try LedgerReader(path: text).audit() }
        #expect(throws: LedgerError.self) {
            try LedgerStore(path: text, prices: .illustrative, now: 1)
        }
        let later = ledger.path + ".later"
        try DatabaseQueue(path: later).write { try $0.execute(sql: "PRAGMA user_version = 99") }
        #expect(throws: LedgerError.schema(path: later, found: 99)) {
            try LedgerStore(path: later, prices: .illustrative, now: 1)
        }
    }

    /// Bytes of the file itself: every damage is either without effect on what is read, or seen.
    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func damagedPagesNeverTrap(seed: UInt64) throws {
        let copy = ledger.path + ".damaged"
        try DatabaseQueue(path: ledger.path).backup(to: DatabaseQueue(path: copy))
        let sound = try LedgerReader(path: copy).audit()
        var bytes = try Data(contentsOf: URL(fileURLWithPath: copy))
        var random = SeededGenerator(seed: seed)
        for _ in 0...(seed % 4) {
            bytes[Int.random(in: 100..<bytes.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
        }
        try bytes.write(to: URL(fileURLWithPath: copy))
        do {
            let result = try LedgerReader(path: copy).audit()
            let same =
                result.producedTokens == sound.producedTokens && result.head == sound.head
                && result.trialBalance == sound.trialBalance && result.counts == sound.counts
            #expect(!result.passed || same, "seed \(seed)")
        } catch {
            // A file that cannot be read at all.
        }
    }
}
