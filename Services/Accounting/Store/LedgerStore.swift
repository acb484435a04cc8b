public import Economics
import Foundation
import GRDB
public import Ledger
public import LedgerDatabase
public import Wire

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
    /// Held for as long as the store lives.
    private let lock: LedgerLock
    /// What the claims' clock showed when the ledger was opened; see `claim`.
    private let claimAge: UInt64

    /// Requests of the last transactions.
    // Reached inside `database.write` alone, which lets in one at a time.
    private final class WriterMemory: @unchecked Sendable {
        var cache = RequestCache()
    }

    /// Opens the ledger, makes it where there is none, and notes the price list in it where that has changed.
    ///
    /// The signing key is at `path` + `.key`, made with the ledger and readable by its owner alone.
    /// A ledger of the version before is brought up to this one. Only one store in all processes can have it open.
    /// - Parameters:
    ///   - now: nanoseconds since 1970.
    ///   - holder: who this is, for the message that a second one gets.
    public init(
        path: String, prices list: PriceList, settings: LedgerSettings = LedgerSettings(), now: UInt64,
        holder: String = "accounting"
    ) throws(LedgerError) {
        self.path = path
        self.settings = settings
        lock = try LedgerLock(database: path, holder: holder)
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
            guard version == 0 || (Schema.oldest...Schema.version).contains(version) else {
                throw LedgerError.schema(path: path, found: version)
            }
            let key = try SigningKeyFile.open(path: path + ".key", create: version == 0)
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
                    if version < Schema.version { try Schema.migrate(db) }
                }
                var transaction = try LedgerTransaction(
                    SQLiteState(db, path: file), key: key, prices: PriceBook(row: 0, list: list), settings: settings,
                    now: now)
                let row = try transaction.note(list)
                try transaction.finish()
                return row
            }
            claimAge = try pool.write { db in try ClaimRules<SQLiteState>.age(SQLiteState(db, path: file)) }
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

    /// Expires requests that nobody resolved and whose ingest is gone.
    ///
    /// Handles a bounded number; call it again while the result is not 0.
    /// - Parameters:
    ///   - now: nanoseconds since 1970, for the record alone: it decides nothing.
    ///   - isGone: whether the ingest of this boot epoch has been away for the time to live.
    ///   - unowned: of the requests, by their rows, of which no ingest has spoken, those that have been so for the time
    ///     to live.
    /// - Returns: how many expired.
    public func expire(
        now: UInt64, isGone: (UInt64) -> Bool, unowned: (Set<Int64>) -> Set<Int64>
    ) throws(LedgerError) -> Int {
        try write("expire reservations") { transaction in
            try transaction.expire(isGone: isGone, unowned: unowned)
        } now: {
            now
        }.recorded
    }

    /// Decides about claims of idempotency keys, in order; when it returns, those that were granted are on disk.
    ///
    /// - Parameters:
    ///   - elapsed: nanoseconds since the ledger was opened, on a monotonic clock: claims age while the ledger is open.
    ///   - isGone: whether the ingest of this boot epoch has been away for the time to live.
    public func claim(
        _ asks: [ClaimAsk], elapsed: UInt64, isGone: (UInt64) -> Bool
    ) throws(LedgerError) -> [ClaimAnswer] {
        do {
            return try database.write { db in
                let rules = ClaimRules(try SQLiteState(db, path: path), age: claimAge.addingClamped(elapsed))
                return try asks.map { try rules.decide($0, isGone: isGone) }
            }
        } catch {
            throw LedgerError.wrapping(error, operation: "note claims", path: path)
        }
    }

    /// Forgets claims that are older than the settings' time, and notes how old the others are.
    /// - Parameter elapsed: see `claim`.
    /// - Returns: how many were forgotten.
    public func forgetClaims(elapsed: UInt64) throws(LedgerError) -> Int {
        do {
            return try database.write { db in
                try ClaimRules(SQLiteState(db, path: path), age: claimAge.addingClamped(elapsed))
                    .forget(olderThan: settings.claimTime)
            }
        } catch {
            throw LedgerError.wrapping(error, operation: "forget claims", path: path)
        }
    }

    /// Fails when the database takes no writes: a transaction that changes nothing but a mark.
    public func probe(now: UInt64) throws(LedgerError) {
        do {
            try database.write { db in
                try db.cachedStatement(sql: "INSERT OR REPLACE INTO meta (name, value) VALUES ('probe', ?)")
                    .execute(arguments: [EntryName.own(.prices, sequence: Int64(clamping: now))])
            }
        } catch {
            throw LedgerError.wrapping(error, operation: "write", path: path)
        }
    }

    /// Reports and audits of this ledger as of its last commit.
    public var reader: LedgerReader { LedgerReader(database, path: path) }

    private func write(
        _ operation: String, _ body: (inout LedgerTransaction<SQLiteState>) throws -> Void, now: () -> UInt64
    ) throws(LedgerError) -> ApplyResult {
        do {
            return try database.write { db in
                // After a failure nothing is remembered: what was changed in memory did not happen.
                var cache = RequestCache()
                swap(&cache, &memory.cache)
                var transaction = try LedgerTransaction(
                    SQLiteState(db, path: path), key: key, prices: prices, settings: settings, now: now(),
                    cache: consume cache)
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
