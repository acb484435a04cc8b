import Economics
import Foundation
import Ledger

/// The tables of a ledger in memory as the rules see them, with what takes the last commits back.
///
/// Belongs to one ledger; not for several threads.
final class MemoryTables: LedgerState {
    var image = LedgerImage()
    /// The faults that these tables have, to see that they are found.
    var faults: Set<PlantedFault> = []
    /// Changes of the transaction under way, in their order.
    private var changes: [LedgerImage.Change] = []
    /// Of the last commits, the latest last.
    private var commits: [[LedgerImage.Change]] = []

    /// Commits that can be taken back.
    static let undoLimit = 256

    var path: String { "in memory" }

    // MARK: Transactions

    /// What the transaction has changed stays.
    func commit() {
        guard !changes.isEmpty else { return }
        commits.append(changes)
        changes = []
        // Seldom, so that it costs nothing by the commit.
        if commits.count >= 2 * Self.undoLimit { commits.removeFirst(commits.count - Self.undoLimit) }
    }

    /// Nothing of the transaction under way stays.
    func rollBack() {
        for change in changes.reversed() { image.take(back: change) }
        changes = []
    }

    /// As a disk whose last syncs were none: takes back the last commits, at most as many as are remembered.
    /// - Returns: how many were taken back.
    func lose(commits count: Int) -> Int {
        let lost = min(max(count, 0), commits.count)
        for commit in commits.suffix(lost).reversed() {
            for change in commit.reversed() { image.take(back: change) }
        }
        commits.removeLast(lost)
        return lost
    }

    // MARK: The log

    func lastRow() -> (sequence: Int64, hash: Data)? { image.log.last.map { ($0.sequence, $0.hash) } }

    func append(_ row: LogRow) -> Bool {
        let isKnown = image.names[row.name] != nil
        if isKnown, !faults.contains(.forgetsNames) { return false }
        if faults.contains(.losesARow), row.sequence % 16 == 0 { return true }
        image.names[row.name] = image.log.count
        image.log.append(row)
        changes.append(.row)
        return true
    }

    func hasRow(named name: Data) -> Bool { image.names[name] != nil }

    func body(named name: Data) -> Data? { image.names[name].map { image.log[$0].body } }

    func body(of sequence: Int64, kind: EntryKind?) -> Data? {
        guard let place = Int(exactly: sequence &- 1), image.log.indices.contains(place) else { return nil }
        let row = image.log[place]
        return kind == nil || row.kind == kind?.rawValue ? row.body : nil
    }

    func lastPrices() -> (sequence: Int64, body: Data)? {
        image.log.last { $0.kind == EntryKind.prices.rawValue }.map { ($0.sequence, $0.body) }
    }

    // MARK: What is derived from it

    func append(_ posting: PostingRow) {
        if faults.contains(.losesAPosting), posting.event % 8 == 0 { return }
        image.postings.append(posting)
        changes.append(.posting)
    }

    func append(_ conflict: ConflictRow) {
        if faults.contains(.listsNoConflict) { return }
        image.conflicts.append(conflict)
        changes.append(.conflict)
    }

    func add(debits: Int128, credits: Int128, to account: Account, of tenant: String) throws {
        let key = AccountKey(tenant: tenant, account: account)
        let before = image.balances[key]
        var sums = before ?? AccountSums()
        let debit = sums.debits.addingReportingOverflow(debits)
        let credit = sums.credits.addingReportingOverflow(credits)
        // As far as the columns of SQLite go.
        let limit = Int128(1) << 126
        guard !debit.overflow, !credit.overflow, debit.partialValue < limit, credit.partialValue < limit else {
            throw AmountOverflow()
        }
        sums.debits = debit.partialValue
        sums.credits = faults.contains(.addsOneSideOnly) ? sums.credits : credit.partialValue
        image.balances[key] = sums
        changes.append(.balance(key, before))
    }

    func request(_ key: Data) -> RequestState? {
        var request = image.requests[key]
        if faults.contains(.forgetsEnds), request?.status == .settled || request?.status == .void {
            request?.status = .reserved
            request?.endedBy = nil
        }
        return request
    }

    func store(_ request: OpenRequest) {
        let key = request.state.key
        changes.append(.request(key, image.requests[key]))
        var state = request.state
        if faults.contains(.billsTwice) { state.amount &*= 2 }
        image.set(key, state)
    }

    func through(_ producer: UInt64) -> UInt64? {
        let through = image.producers[producer]
        return faults.contains(.acknowledgesBeyondGaps) ? (through ?? 0) + 1 : through
    }

    func setThrough(_ producer: UInt64, _ number: UInt64) {
        changes.append(.producer(producer, image.producers[producer]))
        image.producers[producer] = number
    }

    // MARK: Signatures

    func setHead(_ head: Checkpoint) {
        if faults.contains(.signsNoHead), head.sequence > 8 { return }
        changes.append(.head(image.head))
        image.head = head
    }

    func append(_ checkpoint: Checkpoint) {
        image.checkpoints.append(checkpoint)
        changes.append(.checkpoint)
    }

    func lastCheckpoint() -> Int64 { image.checkpoints.last?.number ?? 0 }

    // MARK: Open requests

    func openOwners() -> [UInt64?] {
        Array(Set(image.open.lazy.compactMap { self.image.requests[$0] }.map(\.owner)))
    }

    func openRequests(of owner: UInt64?, limit: Int) -> [(id: Int64, key: Data)] {
        let requests = image.open.compactMap { image.requests[$0] }.filter { $0.owner == owner }
        return requests.sorted { $0.id < $1.id }.prefix(max(limit, 0)).map { ($0.id, $0.key) }
    }

    // MARK: Claims

    func claim(tenant: String, key: String) -> ClaimRecord? {
        if faults.contains(.grantsClaimsTwice) { return nil }
        return image.claims[LedgerImage.ClaimKey(tenant: tenant, key: key)]
    }

    func store(_ claim: ClaimRecord) {
        let key = LedgerImage.ClaimKey(tenant: claim.tenant, key: claim.key)
        changes.append(.claim(key, image.claims[key]))
        image.claims[key] = claim
    }

    func claimAge() -> UInt64? { image.claimAge }

    func setClaimAge(_ age: UInt64) {
        changes.append(.claimAge(image.claimAge))
        image.claimAge = age
    }

    func latestClaim() -> Int64? { image.claims.values.map(\.madeAt).max() }

    func removeClaims(before age: Int64) -> Int {
        let old = image.claims.filter { $0.value.madeAt < age }
        for (key, claim) in old {
            changes.append(.claim(key, claim))
            image.claims[key] = nil
        }
        return old.count
    }
}
