import Economics
import Foundation
import GRDB

/// The `balance` rows, of this version's schema and of the one before.
enum BalanceRow {
    /// Nil for an account that does not exist.
    static func decode(_ row: Row) throws -> AccountTotal? {
        guard let account = UInt8(exactly: try row.checked("account", Int64.self)).flatMap(Account.init(rawValue:))
        else { return nil }
        return AccountTotal(
            tenant: try row.checked("tenant"), account: account,
            debits: WideColumn.join(
                high: try row.optional("debits_high", Int64.self) ?? 0, low: try row.checked("debits")),
            credits: WideColumn.join(
                high: try row.optional("credits_high", Int64.self) ?? 0, low: try row.checked("credits")))
    }

    /// Adds to a tenant's account, in the transaction that goes on. Throws when the columns do not hold it.
    static func add(_ db: Database, tenant: String, account: Account, debits: Int128, credits: Int128) throws {
        let row = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT * FROM balance WHERE tenant = ? AND account = ?"),
            arguments: [tenant, account.rawValue])
        let before = try row.flatMap(decode)
        let debitSum = (before?.debits ?? 0).addingReportingOverflow(debits)
        let creditSum = (before?.credits ?? 0).addingReportingOverflow(credits)
        guard !debitSum.overflow, !creditSum.overflow else { throw AmountOverflow() }
        let debit = try WideColumn.split(debitSum.partialValue)
        let credit = try WideColumn.split(creditSum.partialValue)
        try db.cachedStatement(sql: "INSERT OR REPLACE INTO balance VALUES (?, ?, ?, ?, ?, ?)")
            .execute(arguments: [tenant, account.rawValue, debit.high, debit.low, credit.high, credit.low])
    }
}
