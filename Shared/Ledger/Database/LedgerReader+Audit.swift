public import Foundation
import GRDB
public import Ledger

extension LedgerReader {
    /// Proves the ledger from its file: chain, signatures, and that every projection is what a replay gives.
    ///
    /// It sees one committed state, so that a line at work changes nothing between two of its checks. What is true of a
    /// line at rest alone is `coverage`: a settlement may come before the record of the attempt that made its tokens.
    /// - Parameters:
    ///   - anchor: a head or checkpoint kept outside, which the log must contain.
    ///   - publicKey: the key that must have signed; without it, the one that the ledger names.
    ///   - grace: what ended so lately that its attempts may still be on their way; without it nothing is, as in a
    ///     ledger at rest.
    /// - Throws: only when the file cannot be read at all. What is wrong in it is a finding.
    public func audit(
        anchor: Checkpoint? = nil, publicKey: Data? = nil, grace: AuditGrace? = nil
    ) throws(LedgerError) -> AuditResult {
        try read("audit") { db in
            var file = FileAudit(db, path: path)
            do {
                try file.run(anchor: anchor, publicKey: publicKey, grace: grace)
            } catch {
                file.result.note(.violation, .file, nil, "the audit cannot go on: \(error)")
            }
            return file.result
        }
    }
}

/// One audit of a database file in one read transaction: checks what only a file can have wrong, and gives the rows to
/// `LedgerAudit`.
private struct FileAudit {
    private let db: Database
    private let path: String
    /// Of the tables that are there.
    private var version = Schema.version
    var result = AuditResult()

    init(_ db: Database, path: String) {
        self.db = db
        self.path = path
    }

    mutating func run(anchor: Checkpoint?, publicKey: Data?, grace: AuditGrace?) throws {
        for text in try String.fetchAll(db, sql: "PRAGMA integrity_check(20)") where text != "ok" {
            result.note(.violation, .file, nil, text)
        }
        try compareSchema()
        guard result.passed else { return }
        guard let key = try Data.fetchOne(db, sql: "SELECT value FROM meta WHERE name = 'public-key'") else {
            return result.note(.violation, .checkpoint, nil, "the ledger names no public key")
        }
        // The integrity check has proved the index of names.
        var audit = LedgerAudit(
            publicKey: key, trustedKey: publicKey, anchor: anchor, grace: grace, version: version, namesAreUnique: true,
            result: result)
        defer { result = audit.result }
        try giveSignatures(to: &audit)
        try giveLog(to: &audit)
        try giveRequests(to: &audit)
        try giveAttempts(to: &audit)
        try giveConflicts(to: &audit)
        try giveBalances(to: &audit)
        _ = audit.finish()
    }

    private mutating func compareSchema() throws {
        let query = "SELECT type || ' ' || name || ': ' || ifnull(sql, '') FROM sqlite_master"
        let tables = Set(try String.fetchAll(db, sql: query))
        // A ledger that no accounting of this version has opened yet is as the version before made it.
        let found = try Int64.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        if (Schema.oldest...Schema.version).contains(found) { version = found }
        let expected = try DatabaseQueue().write { [version] db in
            try Schema.create(db, version: version)
            return Set(try String.fetchAll(db, sql: query))
        }
        for item in expected.subtracting(tables).sorted() {
            result.note(.violation, .schema, nil, "missing or altered: \(item.prefix { $0 != ":" })")
        }
        for item in tables.subtracting(expected).sorted() {
            result.note(.violation, .schema, nil, "not of the ledger: \(item.prefix { $0 != ":" })")
        }
    }

    // MARK: Rows

    private func giveSignatures(to audit: inout LedgerAudit) throws {
        let checkpoints = try Row.fetchAll(db, sql: "SELECT * FROM checkpoint ORDER BY number")
            .map { try CheckpointRow.decode($0) }
        // What is no head is none.
        let head = try Data.fetchOne(db, sql: "SELECT value FROM meta WHERE name = 'head'")
        audit.take(head: head.flatMap(CheckpointRow.decodeHead), checkpoints: checkpoints)
    }

    private func giveLog(to audit: inout LedgerAudit) throws {
        let postings = try Row.fetchCursor(
            db, sql: "SELECT event, tenant, debit, credit, amount FROM posting ORDER BY rowid")
        let events = try Row.fetchCursor(
            db, sql: "SELECT sequence, kind, received, name, body, hash FROM event ORDER BY sequence")
        while let row = try events.next() {
            let entry = LogRow(
                sequence: row[0], kind: UInt8(clamping: row[1] as Int64), received: row[2], name: row[3], body: row[4],
                hash: row[5])
            try audit.take(entry) {
                try postings.next().map { row in
                    PostingRow(event: row[0], tenant: row[1], debit: row[2], credit: row[3], amount: row[4])
                }
            }
        }
        audit.endLog(hasMorePostings: try postings.next() != nil)
    }

    private func giveRequests(to audit: inout LedgerAudit) throws {
        let rows = try Row.fetchCursor(db, sql: "SELECT * FROM request ORDER BY id")
        while let row = try rows.next() {
            do {
                let state = try RequestRow.decode(row, path: path)
                audit.take(
                    StoredRequest(
                        state: state, produced: try row.checked("produced"), billed: try row.checked("billed"),
                        wasted: try row.checked("wasted"), attempts: try row.checked("attempts")))
            } catch {
                audit.take(damagedRequest: try row.checked("id"), key: try row.checked("key"), because: "\(error)")
            }
        }
        audit.endRequests()
    }

    private func giveAttempts(to audit: inout LedgerAudit) throws {
        let rows = try Row.fetchCursor(db, sql: "SELECT * FROM attempt ORDER BY event")
        while let row = try rows.next() {
            audit.take(
                attempt: try row.checked("event"), of: try row.checked("request"),
                try? AttemptRow.decode(row, path: path))
        }
        audit.endAttempts()
    }

    private func giveConflicts(to audit: inout LedgerAudit) throws {
        let rows = try Row.fetchCursor(db, sql: "SELECT event, request, reason FROM conflict ORDER BY event")
        while let row = try rows.next() {
            audit.take(
                ConflictRow(
                    event: try row.checked(at: 0), request: try row.checked(at: 1), reason: try row.checked(at: 2)))
        }
        audit.endConflicts()
    }

    private func giveBalances(to audit: inout LedgerAudit) throws {
        let rows = try Row.fetchCursor(db, sql: "SELECT * FROM balance ORDER BY tenant, account")
        while let row = try rows.next() {
            audit.take(balance: try BalanceRow.decode(row), of: try row.checked("tenant"))
        }
        audit.endBalances()
    }
}
