import Economics
import Foundation
import GRDB
import Ledger
import LedgerDatabase
import Wire

/// The tables of SQLite as the ledger's rules see them, in the transaction that goes on.
///
/// Belongs to that transaction, and to the thread on which it runs.
struct SQLiteState: LedgerState {
    let path: String
    private let db: Database
    private let insertEvent: BoundStatement
    private let insertPosting: BoundStatement
    private let requests: RequestStatements

    private static let claimAgeName = "claim-age"

    init(_ db: Database, path: String) throws {
        self.db = db
        self.path = path
        insertEvent = try BoundStatement(
            db,
            """
            INSERT INTO event (sequence, kind, received, name, body, hash) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (name) DO NOTHING
            """)
        insertPosting = try BoundStatement(
            db, "INSERT INTO posting (event, tenant, debit, credit, amount) VALUES (?, ?, ?, ?, ?)")
        requests = try RequestStatements(db)
    }

    // MARK: The log

    func lastRow() throws -> (sequence: Int64, hash: Data)? {
        try Row.fetchOne(db.cachedStatement(sql: "SELECT sequence, hash FROM event ORDER BY sequence DESC LIMIT 1"))
            .map { (try $0.checked(at: 0), try $0.checked(at: 1)) }
    }

    func append(_ row: LogRow) throws -> Bool {
        try insertEvent.run { values in
            values.add(row.sequence)
            values.add(row.kind)
            values.add(row.received)
            values.add(row.name)
            values.add(row.body)
            values.add(row.hash)
        }
        return db.changesCount == 1
    }

    func hasRow(named name: Data) throws -> Bool {
        try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT sequence FROM event WHERE name = ?"), arguments: [name]) != nil
    }

    func body(named name: Data) throws -> Data? {
        try Data.fetchOne(db.cachedStatement(sql: "SELECT body FROM event WHERE name = ?"), arguments: [name])
    }

    func body(of sequence: Int64, kind: EntryKind?) throws -> Data? {
        try Data.fetchOne(
            db.cachedStatement(sql: "SELECT body FROM event WHERE sequence = ? AND kind = ifnull(?, kind)"),
            arguments: [sequence, kind?.rawValue])
    }

    func lastPrices() throws -> (sequence: Int64, body: Data)? {
        try Row.fetchOne(
            db, sql: "SELECT sequence, body FROM event WHERE kind = ? ORDER BY sequence DESC LIMIT 1",
            arguments: [EntryKind.prices.rawValue]
        ).map { (try $0.checked(at: 0), try $0.checked(at: 1)) }
    }

    // MARK: What is derived from it

    func append(_ posting: PostingRow) throws {
        try insertPosting.run { values in
            values.add(posting.event)
            values.add(posting.tenant)
            values.add(posting.debit)
            values.add(posting.credit)
            values.add(posting.amount)
        }
    }

    func append(_ conflict: ConflictRow) throws {
        try db.cachedStatement(sql: "INSERT INTO conflict (event, request, reason) VALUES (?, ?, ?)")
            .execute(arguments: [conflict.event, conflict.request, conflict.reason])
    }

    func add(debits: Int128, credits: Int128, to account: Account, of tenant: String) throws {
        let row = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT * FROM balance WHERE tenant = ? AND account = ?"),
            arguments: [tenant, account.rawValue])
        let before = try row.flatMap(BalanceRow.decode)
        let debitSum = (before?.debits ?? 0).addingReportingOverflow(debits)
        let creditSum = (before?.credits ?? 0).addingReportingOverflow(credits)
        guard !debitSum.overflow, !creditSum.overflow else { throw AmountOverflow() }
        let debit = try WideColumn.split(debitSum.partialValue)
        let credit = try WideColumn.split(creditSum.partialValue)
        try db.cachedStatement(sql: "INSERT OR REPLACE INTO balance VALUES (?, ?, ?, ?, ?, ?)")
            .execute(arguments: [tenant, account.rawValue, debit.high, debit.low, credit.high, credit.low])
    }

    func request(_ key: Data) throws -> RequestState? { try RequestRow.fetch(db, key: key, path: path) }

    func store(_ request: OpenRequest) throws { try requests.store(request) }

    func through(_ producer: UInt64) throws -> UInt64? {
        try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT through FROM producer WHERE epoch = ?"),
            arguments: [Int64(bitPattern: producer)]
        ).map(UInt64.init(bitPattern:))
    }

    func setThrough(_ producer: UInt64, _ number: UInt64) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO producer (epoch, through) VALUES (?, ?)
                ON CONFLICT (epoch) DO UPDATE SET through = excluded.through
                """
        ).execute(arguments: [Int64(bitPattern: producer), Int64(bitPattern: number)])
    }

    // MARK: Signatures

    func setHead(_ head: Checkpoint) throws {
        try db.cachedStatement(sql: "UPDATE meta SET value = ? WHERE name = 'head'")
            .execute(arguments: [CheckpointRow.encode(head)])
    }

    func append(_ checkpoint: Checkpoint) throws {
        try db.cachedStatement(
            sql: "INSERT INTO checkpoint (number, sequence, hash, made_at, signature) VALUES (?, ?, ?, ?, ?)"
        ).execute(arguments: [
            checkpoint.number, checkpoint.sequence, checkpoint.hash, checkpoint.madeAt, checkpoint.signature,
        ])
    }

    func lastCheckpoint() throws -> Int64 {
        try Int64.fetchOne(db, sql: "SELECT ifnull(max(number), 0) FROM checkpoint") ?? 0
    }

    // MARK: Open requests

    func openOwners() throws -> [UInt64?] {
        try Row.fetchAll(db.cachedStatement(sql: "SELECT DISTINCT owner FROM request WHERE state = 0"))
            .map { try $0.optional("owner", Int64.self).map(UInt64.init(bitPattern:)) }
    }

    func openRequests(of owner: UInt64?, limit: Int) throws -> [(id: Int64, key: Data)] {
        try Row.fetchAll(
            db.cachedStatement(
                sql: "SELECT id, key FROM request WHERE state = 0 AND owner IS ? ORDER BY id LIMIT ?"),
            arguments: [owner.map { Int64(bitPattern: $0) }, limit]
        ).map { (try $0.checked("id"), try $0.checked("key")) }
    }

    // MARK: Claims

    func claim(tenant: String, key: String) throws -> ClaimRecord? {
        try Row.fetchOne(
            db.cachedStatement(sql: "SELECT * FROM claim WHERE tenant = ? AND key = ?"), arguments: [tenant, key]
        ).map { row in
            ClaimRecord(
                tenant: tenant, key: key, digest: try row.checked("digest"),
                requestID: RequestID(
                    high: UInt64(bitPattern: try row.checked("id_high", Int64.self)),
                    low: UInt64(bitPattern: try row.checked("id_low", Int64.self))),
                producer: UInt64(bitPattern: try row.checked("producer", Int64.self)),
                madeAt: try row.checked("made_at"))
        }
    }

    func store(_ claim: ClaimRecord) throws {
        try db.cachedStatement(sql: "INSERT OR REPLACE INTO claim VALUES (?, ?, ?, ?, ?, ?, ?)").execute(arguments: [
            claim.tenant, claim.key, claim.digest, Int64(bitPattern: claim.requestID.high),
            Int64(bitPattern: claim.requestID.low), Int64(bitPattern: claim.producer), claim.madeAt,
        ])
    }

    func claimAge() throws -> UInt64? {
        let noted = try Data.fetchOne(
            db, sql: "SELECT value FROM meta WHERE name = ?", arguments: [Self.claimAgeName])
        var reader = ByteReader(noted ?? Data())
        return reader.take(UInt64.self)
    }

    func setClaimAge(_ age: UInt64) throws {
        var writer = ByteWriter(capacity: 8)
        writer.put(age)
        try db.cachedStatement(sql: "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)")
            .execute(arguments: [Self.claimAgeName, Data(writer.bytes)])
    }

    func latestClaim() throws -> Int64? {
        try Int64.fetchOne(db.cachedStatement(sql: "SELECT max(made_at) FROM claim"))
    }

    func removeClaims(before age: Int64) throws -> Int {
        try db.execute(sql: "DELETE FROM claim WHERE made_at < ?", arguments: [age])
        return db.changesCount
    }
}
