import Economics
import Foundation
package import GRDB
public import Ledger
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

    /// A reader beside the one that writes.
    package init(_ database: any DatabaseReader, path: String) {
        self.database = database
        self.path = path
    }

    /// Sums by tenant, model or worker.
    /// - Parameters:
    ///   - since: only requests whose first event came at or after it, in nanoseconds since 1970.
    ///   - tenant: only this tenant's requests; nil for all.
    public func report(
        by grouping: ReportGrouping, since: UInt64 = 0, tenant: String? = nil
    ) throws(LedgerError) -> Report {
        try read("report") { db in
            let query = ReportQuery(db: db, since: Int64(clamping: since), tenant: tenant)
            let rows =
                switch grouping {
                case .tenant: try query.requests(by: "r.tenant")
                case .model: try query.requests(by: "r.model")
                case .worker: try query.workers()
                }
            let total = try query.requests(by: "''").first ?? ReportQuery.zero
            return Report(grouping: grouping, since: since, rows: rows, total: total)
        }
    }

    /// What the ledger holds under a request id: at most one request for each tenant.
    /// - Parameter tenant: only this tenant's; nil for all.
    public func requests(_ id: RequestID, tenant: String? = nil) throws(LedgerError) -> [RequestSummary] {
        try read("look a request up") { db in
            try ReportQuery(db: db, since: 0, tenant: tenant).summaries(id: id)
        }
    }

    /// A tenant's requests that its clients call so, the latest first.
    public func requests(labelled label: String, tenant: String, limit: Int = 100) throws(LedgerError)
        -> [RequestSummary]
    {
        guard !label.isEmpty else { return [] }
        return try read("look a label up") { db in
            // A ledger that no accounting of this version has opened yet has no labels.
            guard try Int64.fetchOne(db, sql: "PRAGMA user_version") ?? 0 >= 2 else { return [] }
            return try ReportQuery(db: db, since: 0, tenant: tenant).summaries(label: label, limit: limit)
        }
    }

    /// Numbers of rows and of requests by state.
    public func counts() throws(LedgerError) -> LedgerCounts {
        try read("count") { db in
            var counts = LedgerCounts()
            counts.events = try Int64.fetchOne(db, sql: "SELECT ifnull(max(sequence), 0) FROM event") ?? 0
            counts.conflicts = try Int64.fetchOne(db, sql: "SELECT count(*) FROM conflict") ?? 0
            for row in try Row.fetchAll(db, sql: "SELECT state, count(*) FROM request GROUP BY state") {
                let count: Int64 = try row.checked(at: 1)
                switch UInt8(exactly: try row.checked(at: 0, Int64.self)).flatMap(RequestStatus.init(rawValue:)) {
                case .reserved: counts.reserved = count
                case .settled: counts.settled = count
                case .void: counts.void = count
                case .expired: counts.expired = count
                case nil: break
                }
            }
            return counts
        }
    }

    /// Debits and credits of every account, ordered by tenant and account.
    public func balances() throws(LedgerError) -> [AccountTotal] {
        try read("read balances") { db in
            try Row.fetchAll(db, sql: "SELECT * FROM balance ORDER BY tenant, account")
                .map { row in
                    guard let total = try BalanceRow.decode(row) else {
                        throw LedgerError.damaged(path: path, sequence: 0, reason: "an account has an unknown number")
                    }
                    return total
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
