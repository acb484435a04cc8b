package import Economics
package import Foundation
package import Wire

/// What the ledger's rules look up and write in one transaction: the tables of SQLite, or those of a ledger in memory.
///
/// The rules decide and these tables hold, so one code serves both. Every change belongs to the transaction under way.
/// A method throws what its tables throw, and then nothing of the transaction may stay.
package protocol LedgerState {
    /// What errors call the ledger.
    var path: String { get }

    // MARK: The log

    /// Number and hash of the last row; nil for an empty log.
    func lastRow() throws -> (sequence: Int64, hash: Data)?
    /// Appends a row, unless its name stands in the log already.
    /// - Returns: whether it was appended.
    func append(_ row: LogRow) throws -> Bool
    /// Whether a row has this name.
    func hasRow(named name: Data) throws -> Bool
    /// The body of the row with this name.
    func body(named name: Data) throws -> Data?
    /// The body of the row with this number and kind.
    func body(of sequence: Int64, kind: EntryKind?) throws -> Data?
    /// Number and body of the last price list in the log.
    func lastPrices() throws -> (sequence: Int64, body: Data)?

    // MARK: What is derived from it

    /// Appends a row of double entry.
    func append(_ posting: PostingRow) throws
    /// Lists an event that is kept without counting.
    func append(_ conflict: ConflictRow) throws
    /// Adds to both sides of a tenant's account. Throws `AmountOverflow` when the sum does not fit.
    func add(debits: Int128, credits: Int128, to account: Account, of tenant: String) throws
    /// The request with this key as it stood when the transaction began.
    func request(_ key: Data) throws -> RequestState?
    /// Brings what is stored of the request up to its state.
    func store(_ request: OpenRequest) throws
    /// The number up to which all events of a producer are there; nil for one that is not known.
    func through(_ producer: UInt64) throws -> UInt64?
    func setThrough(_ producer: UInt64, _ number: UInt64) throws

    // MARK: Signatures

    func setHead(_ head: Checkpoint) throws
    func append(_ checkpoint: Checkpoint) throws
    /// The number of the last kept checkpoint; 0 where there is none.
    func lastCheckpoint() throws -> Int64

    // MARK: Open requests

    /// The ingests of requests that nobody has resolved, in any order; nil among them for requests of which no ingest
    /// has spoken.
    func openOwners() throws -> [UInt64?]
    /// The open requests of an ingest, the oldest first, at most so many; nil for those without one.
    func openRequests(of owner: UInt64?, limit: Int) throws -> [(id: Int64, key: Data)]

    // MARK: Claims

    func claim(tenant: String, key: String) throws -> ClaimRecord?
    /// Stores a claim, in the place of an older one of the same key.
    func store(_ claim: ClaimRecord) throws
    /// What the claims' clock showed when it was last noted, in nanoseconds.
    func claimAge() throws -> UInt64?
    func setClaimAge(_ age: UInt64) throws
    /// When the youngest claim was made, on the claims' clock; nil where there is none.
    func latestClaim() throws -> Int64?
    /// Takes out the claims that were made before this.
    /// - Returns: how many.
    func removeClaims(before age: Int64) throws -> Int
}

/// A row of the log.
package struct LogRow: Equatable, Sendable {
    /// Counts from 1.
    package var sequence: Int64
    /// Raw value of an `EntryKind`.
    package var kind: UInt8
    /// When it was recorded, in nanoseconds since 1970.
    package var received: Int64
    /// What nothing else in the log is called.
    package var name: Data
    package var body: Data
    /// Of the row before and of all of this one.
    package var hash: Data

    package init(sequence: Int64, kind: UInt8, received: Int64, name: Data, body: Data, hash: Data) {
        self.sequence = sequence
        self.kind = kind
        self.received = received
        self.name = name
        self.body = body
        self.hash = hash
    }
}

/// A stored row of double entry. Its accounts are numbers, as a file may hold ones that do not exist.
package struct PostingRow: Equatable, Sendable {
    /// Row of the event that it is posted for.
    package var event: Int64
    package var tenant: String
    package var debit: Int64
    package var credit: Int64
    package var amount: Int64

    package init(event: Int64, tenant: String, debit: Int64, credit: Int64, amount: Int64) {
        self.event = event
        self.tenant = tenant
        self.debit = debit
        self.credit = credit
        self.amount = amount
    }

    init(_ posting: Posting, event: Int64, tenant: String) {
        self.init(
            event: event, tenant: tenant, debit: Int64(posting.debit.rawValue), credit: Int64(posting.credit.rawValue),
            amount: posting.amount)
    }
}

/// A stored row that lists a conflict.
package struct ConflictRow: Equatable, Sendable {
    /// Row of the event that does not count.
    package var event: Int64
    /// Row of the request's first event.
    package var request: Int64
    /// Raw value of a `ConflictReason`.
    package var reason: Int64

    package init(event: Int64, request: Int64, reason: Int64) {
        self.event = event
        self.request = request
        self.reason = reason
    }
}

/// Who has an idempotency key.
package struct ClaimRecord: Equatable, Sendable {
    package var tenant: String
    package var key: String
    /// SHA-256 of what was asked for.
    package var digest: Data
    package var requestID: RequestID
    /// Boot epoch of the ingest that claimed it.
    package var producer: UInt64
    /// On the claims' clock, in nanoseconds.
    package var madeAt: Int64

    package init(tenant: String, key: String, digest: Data, requestID: RequestID, producer: UInt64, madeAt: Int64) {
        self.tenant = tenant
        self.key = key
        self.digest = digest
        self.requestID = requestID
        self.producer = producer
        self.madeAt = madeAt
    }
}
