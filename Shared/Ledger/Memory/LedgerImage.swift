package import Foundation
package import Ledger

/// What stands on the disk of a ledger in memory: the rows that SQLite's tables would hold.
///
/// A value: a copy is the disk at that moment.
package struct LedgerImage: Sendable {
    package struct ClaimKey: Hashable, Sendable {
        package var tenant: String
        package var key: String

        package init(tenant: String, key: String) {
            self.tenant = tenant
            self.key = key
        }
    }

    package var log: [LogRow] = []
    package var postings: [PostingRow] = []
    package var conflicts: [ConflictRow] = []
    package var checkpoints: [Checkpoint] = []
    package var head: Checkpoint?
    /// By their keys.
    package var requests: [Data: RequestState] = [:]
    package var balances: [AccountKey: AccountSums] = [:]
    /// Numbers up to which all events of a producer are there, by its boot epoch.
    package var producers: [UInt64: UInt64] = [:]
    package var claims: [ClaimKey: ClaimRecord] = [:]
    package var claimAge: UInt64?
    /// Places of the log's rows by their names.
    var names: [Data: Int] = [:]
    /// Keys of the requests that nobody has resolved.
    var open: Set<Data> = []

    package init() {}
}

extension LedgerImage {
    /// What takes one change back.
    enum Change: Sendable {
        case row
        case posting
        case conflict
        case checkpoint
        case head(Checkpoint?)
        case request(Data, RequestState?)
        case balance(AccountKey, AccountSums?)
        case producer(UInt64, UInt64?)
        case claim(ClaimKey, ClaimRecord?)
        case claimAge(UInt64?)
    }

    mutating func take(back change: Change) {
        switch change {
        case .row:
            guard let row = log.popLast() else { return }
            // Another row may have the name where the tables were made to forget that they hold it.
            if names[row.name] == log.count { names[row.name] = nil }
        case .posting: _ = postings.popLast()
        case .conflict: _ = conflicts.popLast()
        case .checkpoint: _ = checkpoints.popLast()
        case .head(let before): head = before
        case .request(let key, let before): set(key, before)
        case .balance(let key, let before): balances[key] = before
        case .producer(let epoch, let before): producers[epoch] = before
        case .claim(let key, let before): claims[key] = before
        case .claimAge(let before): claimAge = before
        }
    }

    mutating func set(_ key: Data, _ request: RequestState?) {
        requests[key] = request
        if request?.status == .reserved { open.insert(key) } else { open.remove(key) }
    }
}
