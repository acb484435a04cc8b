public import Economics
import Foundation
import GRDB
public import Wire

/// One batch as it came from a producer.
public struct ProducerBatch: Equatable, Sendable {
    /// Boot epoch of the process whose spool the batch's numbers count.
    public var producer: UInt64
    public var batch: RecordBatch

    public init(producer: UInt64, batch: RecordBatch) {
        self.producer = producer
        self.batch = batch
    }
}

/// What one transaction did.
public struct ApplyResult: Equatable, Sendable {
    /// Events that are new.
    public var recorded = 0
    /// Events known already, with the same body: nothing changed.
    public var duplicates = 0
    /// Events that are kept without counting.
    public var conflicts: [LedgerConflict] = []
    /// Spool numbers that were jumped over, by producer.
    public var gaps: [RecordGap] = []
    /// Highest spool number on disk for each producer of the batches: what `recordAck` says to it.
    public var acknowledged: [UInt64: UInt64] = [:]
}

/// An event that is kept without counting, for the operator.
public struct LedgerConflict: Hashable, Sendable {
    /// Row of the event.
    public var sequence: Int64
    public var tenant: String
    public var requestID: RequestID
    public var reason: ConflictReason
}

/// Spool numbers that never came although later ones did.
public struct RecordGap: Hashable, Sendable {
    public var producer: UInt64
    public var numbers: ClosedRange<UInt64>
}

/// The ledger in SQLite: an append-only, hash-chained log of events, double-entry postings and projections.
///
/// Every method blocks on the disk: call from a thread that may. `apply` and `expire` are serialised by the database;
/// `reader` may be used beside them from any thread. When a method returns, what it did is on disk (WAL, full sync);
/// when it throws, nothing of it is.
public final class LedgerStore: Sendable {
    public let path: String
    private let database: DatabasePool
    private let key: SigningKey
    private let settings: LedgerSettings
    private let prices: PriceBook
    private let memory = WriterMemory()

    /// Requests of the last transactions.
    // Reached inside `database.write` alone, which lets in one at a time.
    private final class WriterMemory: @unchecked Sendable {
        var cache = RequestCache()
    }

    /// Opens the ledger, makes it where there is none, and notes the price list in it where that has changed.
    ///
    /// The signing key is at `path` + `.key`, made with the ledger and readable by its owner alone.
    /// - Parameter now: nanoseconds since 1970.
    public init(
        path: String, prices list: PriceList, settings: LedgerSettings = LedgerSettings(), now: UInt64
    ) throws(LedgerError) {
        self.path = path
        self.settings = settings
        let file = path
        do {
            var configuration = Configuration()
            configuration.busyMode = .timeout(settings.lockTimeoutSeconds)
            configuration.prepareDatabase { db in
                // Names are random: the index of names wants memory, and each checkpoint writes much of it.
                try db.execute(sql: "PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 8192")
            }
            let pool = try DatabasePool(path: path, configuration: configuration)
            try pool.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA synchronous = FULL") }
            let version = try pool.read { db in try Int64.fetchOne(db, sql: "PRAGMA user_version") ?? 0 }
            guard version == 0 || version == Schema.version else {
                throw LedgerError.schema(path: path, found: version)
            }
            let key = try SigningKey(path: path + ".key", create: version == 0)
            let row = try pool.write { db in
                if version == 0 {
                    try Schema.create(db)
                    try db.execute(
                        sql: "INSERT INTO meta (name, value) VALUES ('public-key', ?), ('head', ?)",
                        arguments: [key.publicKey, Data()])
                } else {
                    let known = try Data.fetchOne(db, sql: "SELECT value FROM meta WHERE name = 'public-key'")
                    guard known == key.publicKey else {
                        throw LedgerError.key(path: file + ".key", reason: "this is not the key of this ledger")
                    }
                }
                var transaction = try LedgerTransaction(
                    db, path: file, key: key, prices: PriceBook(row: 0, list: list), settings: settings, now: now)
                let row = try transaction.note(list)
                try transaction.finish()
                return row
            }
            database = pool
            self.key = key
            prices = PriceBook(row: row, list: list)
        } catch {
            throw LedgerError.wrapping(error, operation: "open", path: path)
        }
    }

    /// Records the batches in one transaction, however many producers they are from.
    ///
    /// Events may come in any order and any number of times. Acknowledge to each producer only what
    /// `ApplyResult.acknowledged` says, and only after this has returned.
    /// - Parameters:
    ///   - now: nanoseconds since 1970.
    ///   - between: called after each event, for a writer that lets other threads go first.
    public func apply(
        _ batches: [ProducerBatch], now: UInt64, between: () -> Void = {}
    ) throws(LedgerError) -> ApplyResult {
        try write("record events") { transaction in
            for batch in batches { try transaction.apply(batch, between: between) }
        } now: {
            now
        }
    }

    /// Expires requests that came to the ledger more than the settings' time to live ago and that nobody resolved.
    ///
    /// Handles a bounded number; call it again while the result is not 0.
    /// - Parameter now: nanoseconds since 1970.
    /// - Returns: how many expired.
    public func expire(now: UInt64) throws(LedgerError) -> Int {
        let before = Int64(clamping: now) - Int64(clamping: settings.timeToLive)
        return try write("expire reservations") { transaction in
            try transaction.expire(openedBefore: before)
        } now: {
            now
        }.recorded
    }

    /// Reports and audits of this ledger as of its last commit.
    public var reader: LedgerReader { LedgerReader(database, path: path) }

    private func write(
        _ operation: String, _ body: (inout LedgerTransaction) throws -> Void, now: () -> UInt64
    ) throws(LedgerError) -> ApplyResult {
        do {
            return try database.write { db in
                // After a failure nothing is remembered: what was changed in memory did not happen.
                var cache = RequestCache()
                swap(&cache, &memory.cache)
                var transaction = try LedgerTransaction(
                    db, path: path, key: key, prices: prices, settings: settings, now: now(), cache: consume cache)
                try body(&transaction)
                try transaction.finish()
                memory.cache = transaction.takeCache()
                return transaction.result
            }
        } catch {
            throw LedgerError.wrapping(error, operation: operation, path: path)
        }
    }
}

/// Settings of a ledger.
public struct LedgerSettings: Equatable, Sendable {
    /// How long a request may stay unresolved after its first event came, in nanoseconds.
    public var timeToLive: UInt64
    /// Rows between two kept checkpoints.
    public var checkpointRows: Int64
    /// Requests that one `expire` handles at most.
    public var expiryBatch: Int
    /// How long to wait for another process's lock on the database.
    public var lockTimeoutSeconds: Double

    public init(
        timeToLive: UInt64 = 3_600_000_000_000, checkpointRows: Int64 = 1024, expiryBatch: Int = 4096,
        lockTimeoutSeconds: Double = 5
    ) {
        self.timeToLive = timeToLive
        self.checkpointRows = max(1, checkpointRows)
        self.expiryBatch = max(1, expiryBatch)
        self.lockTimeoutSeconds = lockTimeoutSeconds
    }
}

/// The price list in force and the row that noted it.
struct PriceBook {
    let row: Int64
    let list: PriceList
}

extension LedgerError {
    static func wrapping(_ error: any Error, operation: String, path: String) -> LedgerError {
        switch error {
        case let error as LedgerError: error
        case let error as PriceListError: .prices(error.description)
        default: .storage(operation: operation, path: path, reason: String(describing: error))
        }
    }
}
