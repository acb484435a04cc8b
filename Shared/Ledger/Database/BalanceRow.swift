import Economics
package import GRDB
package import Ledger

/// The `balance` rows, of this version's schema and of the one before.
package enum BalanceRow {
    /// Nil for an account that does not exist.
    package static func decode(_ row: Row) throws -> AccountTotal? {
        guard let account = UInt8(exactly: try row.checked("account", Int64.self)).flatMap(Account.init(rawValue:))
        else { return nil }
        return AccountTotal(
            tenant: try row.checked("tenant"), account: account,
            debits: WideColumn.join(
                high: try row.optional("debits_high", Int64.self) ?? 0, low: try row.checked("debits")),
            credits: WideColumn.join(
                high: try row.optional("credits_high", Int64.self) ?? 0, low: try row.checked("credits")))
    }
}
