import Economics
package import Foundation
package import Ledger

extension LedgerImage {
    /// Debits and credits of every account, ordered by tenant and account.
    var totals: [AccountTotal] {
        balances
            .map { AccountTotal(tenant: $0.tenant, account: $0.account, debits: $1.debits, credits: $1.credits) }
            .sorted { ($0.tenant, $0.account.rawValue) < ($1.tenant, $1.account.rawValue) }
    }

    /// Gives its rows to the audit's rules.
    package func audit(publicKey: Data, anchor: Checkpoint? = nil) -> AuditResult {
        var audit = LedgerAudit(publicKey: publicKey, anchor: anchor)
        audit.take(head: head, checkpoints: checkpoints)
        var rest = postings[...]
        for row in log { audit.take(row) { rest.popFirst() } }
        audit.endLog(hasMorePostings: !rest.isEmpty)
        let requests = requests.values.sorted { $0.id < $1.id }
        for request in requests {
            audit.take(
                StoredRequest(
                    state: request, produced: request.producedTokens, billed: request.billedTokens,
                    wasted: request.wastedTokens, attempts: Int64(request.attempts.count)))
        }
        audit.endRequests()
        for request in requests {
            for record in request.attempts { audit.take(attempt: record.sequence, of: request.id, record) }
        }
        audit.endAttempts()
        for conflict in conflicts { audit.take(conflict) }
        audit.endConflicts()
        for balance in totals { audit.take(balance: balance, of: balance.tenant) }
        audit.endBalances()
        return audit.finish()
    }
}
