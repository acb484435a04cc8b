import Economics
import Foundation
import Ledger
import LedgerDatabase
import LedgerStore
import Testing
import Wire

/// Sums beyond 64 bits: the highest prices and the longest answers that are documented, and then more of them.
@Suite struct SumTests {
    @Test func settlesAtTheHighestPriceAddUp() throws {
        let most = ModelPrice.maximum
        let ledger = try TestLedger(prices: TestLedger.prices(input: most, cached: most, output: most))
        for number in 1...5 as ClosedRange<UInt64> {
            let stations = Stations(number: number)
            try ledger.record(
                stations.reserve(prompt: .max, maximum: .max), stations.attempt(produced: .max),
                stations.settle(prompt: .max, delivered: .max))
        }
        let expected = Int128(5) * 2 * Int128(UInt32.max) * Int128(most)
        #expect(expected > Int128(Int64.max))
        #expect(try ledger.balances()[.receivable] == expected)
        #expect(try ledger.store.reader.report(by: .tenant).total.amount?.nanodollars == expected)
        #expect(try ledger.store.reader.report(by: .tenant).total.billedTokens == 5 * Int128(UInt32.max))
        try ledger.reopen()
        let again = Stations(number: 6)
        try ledger.record(again.settle(prompt: .max, delivered: 0))
        #expect(try ledger.balances()[.receivable] == expected + Int128(UInt32.max) * Int128(most))
        #expect(try ledger.audit().findings.isEmpty)
    }

    /// A balance as 2⁴⁰ of the highest settles leave it.
    @Test func balancesGoOnAfterTwoToTheFortiethSettle() throws {
        let ledger = try TestLedger()
        try ledger.record(Stations().settle(delivered: 1))
        let most = Int128(1 << 40) * 2 * Int128(UInt32.max) * Int128(ModelPrice.maximum)
        let (high, low) = (most >> 63, most & Int128(Int64.max))
        try ledger.tamper("UPDATE balance SET debits_high = \(high), debits = \(low) WHERE account = 1")
        #expect(try ledger.balances()[.receivable] == most)
        try ledger.record(Stations(number: 2).settle(prompt: 0, delivered: 1))
        #expect(try ledger.balances()[.receivable] == most + 1_000)
    }

    @Test func beyondThatItIsRefusedAndNothingIsWritten() throws {
        let ledger = try TestLedger()
        try ledger.record(Stations().settle(delivered: 1))
        try ledger.tamper("UPDATE balance SET debits_high = 9223372036854775807, debits = 9223372036854775807")
        let before = try ledger.store.reader.counts()
        #expect {
            try ledger.record(Stations(number: 2).settle(delivered: 1))
        } throws: { error in
            (error as? LedgerError)?.isOfContent == true
        }
        #expect(try ledger.store.reader.counts() == before)
    }
}
