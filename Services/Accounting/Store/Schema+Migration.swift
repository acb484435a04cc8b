import GRDB
import Ledger
import LedgerDatabase
import Wire

extension Schema {
    /// Brings the tables of version 1 to version 2: projections are made anew, the record stays as it is.
    static func migrate(_ db: Database) throws {
        try db.execute(
            sql: """
                DROP INDEX request_open;
                ALTER TABLE request RENAME TO request_before;
                ALTER TABLE balance RENAME TO balance_before;
                """)
        try db.execute(sql: changing2)
        try db.execute(
            sql: """
                INSERT INTO request SELECT *, NULL, 0, '' FROM request_before;
                INSERT INTO balance SELECT tenant, account, 0, debits, 0, credits FROM balance_before;
                DROP TABLE request_before;
                DROP TABLE balance_before;
                """)
        let events = try Row.fetchCursor(
            db, sql: "SELECT body FROM event WHERE kind BETWEEN ? AND ? ORDER BY sequence",
            arguments: [EntryKind.reserve.rawValue, EntryKind.void.rawValue])
        let update = try db.makeStatement(
            sql: "UPDATE request SET owner = ifnull(owner, ?), maximum = max(maximum, ?) WHERE key = ?")
        while let row = try events.next() {
            // What cannot be read is for the audit to say.
            guard let event = EventBody.decode(try row.checked(at: 0)) else { continue }
            let key = EntryName.key(requestID: event.requestID, tenant: event.tenant)
            let maximum = event.kind == .reserve ? Int64(event.maximumTokens) : 0
            try update.execute(arguments: [Int64(bitPattern: event.producer), maximum, key])
        }
        try db.execute(sql: "PRAGMA user_version = \(version)")
    }
}
