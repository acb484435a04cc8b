import Economics
import Foundation
import GRDB
public import Wire

/// Reports and audits of a ledger, from the database file alone; never writes to it.
///
/// Each method sees one committed state. All block on the disk and may be called from any thread.
public struct LedgerReader: Sendable {
    public let path: String
    let database: any DatabaseReader

    /// Opens the ledger at `path` read-only. Its directory must be writable, as SQLite's WAL mode asks, unless another
    /// process has the ledger open.
    public init(path: String) throws(LedgerError) {
        self.path = path
        do {
            guard FileManager.default.fileExists(atPath: path) else {
                throw LedgerError.storage(operation: "open", path: path, reason: "there is no such file")
            }
            var configuration = Configuration()
            configuration.readonly = true
            configuration.busyMode = .timeout(5)
            database = try DatabaseQueue(path: path, configuration: configuration)
        } catch {
            throw LedgerError.wrapping(error, operation: "open", path: path)
        }
    }

    init(_ database: any DatabaseReader, path: String) {
        self.database = database
        self.path = path
    }

    /// Sums by tenant, model or worker.
    /// - Parameter since: only requests whose first event came at or after it, in nanoseconds since 1970.
    public func report(by grouping: ReportGrouping, since: UInt64 = 0) throws(LedgerError) -> Report {
        try read("report") { db in
            let start = Int64(clamping: since)
            let rows =
                switch grouping {
                case .tenant: try ReportQuery.requests(db, by: "r.tenant", since: start)
                case .model: try ReportQuery.requests(db, by: "r.model", since: start)
                case .worker: try ReportQuery.workers(db, since: start)
                }
            let total = try ReportQuery.requests(db, by: "''", since: start).first ?? ReportQuery.zero
            return Report(grouping: grouping, since: since, rows: rows, total: total)
        }
    }

    /// What the ledger holds under a request id: at most one request for each tenant.
    public func requests(_ id: RequestID) throws(LedgerError) -> [RequestSummary] {
        try read("look a request up") { db in
            try ReportQuery.summaries(db, id: id)
        }
    }

    /// Numbers of rows and of requests by state.
    public func counts() throws(LedgerError) -> LedgerCounts {
        try read("count") { db in
            var counts = LedgerCounts()
            counts.events = try Int64.fetchOne(db, sql: "SELECT ifnull(max(sequence), 0) FROM event") ?? 0
            counts.conflicts = try Int64.fetchOne(db, sql: "SELECT count(*) FROM conflict") ?? 0
            for row in try Row.fetchAll(db, sql: "SELECT state, count(*) FROM request GROUP BY state") {
                switch RequestStatus(rawValue: row[0]) {
                case .reserved: counts.reserved = row[1]
                case .settled: counts.settled = row[1]
                case .void: counts.void = row[1]
                case .expired: counts.expired = row[1]
                case nil: break
                }
            }
            return counts
        }
    }

    /// Debits and credits of every account, ordered by tenant and account.
    public func balances() throws(LedgerError) -> [AccountTotal] {
        try read("read balances") { db in
            try Row.fetchAll(db, sql: "SELECT tenant, account, debits, credits FROM balance ORDER BY tenant, account")
                .map { row in
                    guard let account = Account(rawValue: row[1]) else {
                        throw LedgerError.damaged(path: path, sequence: 0, reason: "an account has an unknown number")
                    }
                    return AccountTotal(tenant: row[0], account: account, debits: row[2], credits: row[3])
                }
        }
    }

    /// The signed head: the log's length and last hash. Kept outside, it lets a later audit see a log that was cut
    /// back to an older state; nil for a ledger without rows.
    public func head() throws(LedgerError) -> Checkpoint? {
        try read("read the head") { db in
            try Data.fetchOne(db, sql: "SELECT value FROM meta WHERE name = 'head'")
                .flatMap(CheckpointRow.decodeHead)
        }
    }

    func read<Value>(_ operation: String, _ body: (Database) throws -> Value) throws(LedgerError) -> Value {
        do {
            return try database.read { try body($0) }
        } catch {
            throw LedgerError.wrapping(error, operation: operation, path: path)
        }
    }
}
