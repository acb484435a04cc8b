package import Economics
package import Foundation
package import Ledger
package import Wire

/// A ledger without a disk, for tests and simulations: the rules of the real one over tables in memory.
///
/// It offers to its service what `LedgerStore` does, and can restart with or without its last commits. It has no clock,
/// no thread and no random numbers: times and the key's seed are given, so the same calls give the same log. Not for
/// several threads.
package final class MemoryLedger {
    private let tables = MemoryTables()
    private let key: SigningKey
    private let settings: LedgerSettings
    private var prices: PriceBook
    private var cache = RequestCache()
    /// What the claims' clock showed when the ledger was opened.
    private var claimAtStart: UInt64 = 0

    /// Makes an empty ledger and notes the price list in it.
    /// - Parameters:
    ///   - now: nanoseconds since 1970.
    ///   - seed: of the signing key, 32 bytes.
    package init(
        prices list: PriceList, settings: LedgerSettings = LedgerSettings(), now: UInt64,
        seed: Data = Data(repeating: 7, count: 32)
    ) throws(LedgerError) {
        self.settings = settings
        key = try SigningKey(rawRepresentation: seed, path: "in memory")
        prices = PriceBook(row: 0, list: list)
        try open(list, now: now)
    }

    /// What stands on its disk. Set it to put another disk in, and then `restart`.
    package var image: LedgerImage {
        get { tables.image }
        set { tables.image = newValue }
    }

    /// The log's rows.
    package var log: [LogRow] { tables.image.log }

    /// Faults that it has from now on.
    package var faults: Set<PlantedFault> {
        get { tables.faults }
        set { tables.faults = newValue }
    }

    /// Begins again with what is on its disk, as after the death of its process.
    /// - Parameters:
    ///   - losing: commits that are not there any more, as a disk lied about them. At least 256 can be lost.
    ///   - list: the prices from now on; nil for those in force.
    /// - Returns: how many commits were lost.
    @discardableResult
    package func restart(losing: Int = 0, prices list: PriceList? = nil, now: UInt64) throws(LedgerError) -> Int {
        let lost = tables.lose(commits: tables.faults.contains(.losesCommits) ? max(losing, 1) : losing)
        cache = RequestCache()
        try open(list ?? prices.list, now: now)
        return lost
    }

    private func open(_ list: PriceList, now: UInt64) throws(LedgerError) {
        var row: Int64 = 0
        prices = PriceBook(row: 0, list: list)
        _ = try write("open", now: now) { transaction in row = try transaction.note(list) }
        prices = PriceBook(row: row, list: list)
        claimAtStart = max(tables.claimAge() ?? 0, UInt64(clamping: tables.latestClaim() ?? 0))
    }

    // MARK: What its service asks of it

    /// Records the batches in one commit; see `LedgerStore.apply`.
    package func apply(_ batches: [ProducerBatch], now: UInt64) throws(LedgerError) -> ApplyResult {
        try write("record events", now: now) { transaction in
            for batch in batches { try transaction.apply(batch) {} }
        }
    }

    /// Expires requests that nobody resolved and whose ingest is gone; see `LedgerStore.expire`.
    package func expire(
        now: UInt64, isGone: (UInt64) -> Bool, unowned: (Set<Int64>) -> Set<Int64>
    ) throws(LedgerError) -> Int {
        try write("expire reservations", now: now) { transaction in
            try transaction.expire(isGone: isGone, unowned: unowned)
        }.recorded
    }

    /// Decides about claims, in order; see `LedgerStore.claim`.
    package func claim(
        _ asks: [ClaimAsk], elapsed: UInt64, isGone: (UInt64) -> Bool
    ) throws(LedgerError) -> [ClaimAnswer] {
        try change("note claims") {
            let rules = ClaimRules(tables, age: claimAtStart.addingClamped(elapsed))
            return try asks.map { try rules.decide($0, isGone: isGone) }
        }
    }

    /// Forgets claims that are older than the settings' time; see `LedgerStore.forgetClaims`.
    package func forgetClaims(elapsed: UInt64) throws(LedgerError) -> Int {
        try change("forget claims") {
            try ClaimRules(tables, age: claimAtStart.addingClamped(elapsed)).forget(olderThan: settings.claimTime)
        }
    }

    private func write(
        _ operation: String, now: UInt64, _ body: (inout LedgerTransaction<MemoryTables>) throws -> Void
    ) throws(LedgerError) -> ApplyResult {
        // After a failure nothing is remembered: what was changed in memory did not happen.
        var cache = RequestCache()
        swap(&cache, &self.cache)
        return try change(operation) {
            var transaction = try LedgerTransaction(
                tables, key: key, prices: prices, settings: settings, now: now, cache: cache)
            try body(&transaction)
            try transaction.finish()
            self.cache = transaction.takeCache()
            return transaction.result
        }
    }

    private func change<Value>(_ operation: String, _ body: () throws -> Value) throws(LedgerError) -> Value {
        do {
            let value = try body()
            tables.commit()
            return value
        } catch {
            tables.rollBack()
            switch error {
            case let error as LedgerError: throw error
            case is AmountOverflow: throw .amount(operation: operation, path: tables.path)
            case let error as PriceListError: throw .prices(error.description)
            default: throw .storage(operation: operation, path: tables.path, reason: "\(error)")
            }
        }
    }

    // MARK: What can be seen

    /// The request of a tenant with this id; nil where there is none.
    package func request(_ id: RequestID, of tenant: String) -> RequestState? {
        tables.image.requests[EntryName.key(requestID: id, tenant: tenant)]
    }

    /// Debits and credits of every account, ordered by tenant and account.
    package var balances: [AccountTotal] { tables.image.totals }

    /// Proves the ledger from its rows, by the rules that `factory audit` has.
    /// - Parameter anchor: a head or checkpoint kept outside, which the log must contain.
    package func audit(anchor: Checkpoint? = nil) -> AuditResult {
        image.audit(publicKey: key.publicKey, anchor: anchor)
    }
}
