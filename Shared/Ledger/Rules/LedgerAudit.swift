import Economics
package import Foundation

/// The rules of an audit: takes a ledger's rows, whatever holds them, and says what is wrong with them.
///
/// A plain value. The rows come in this order: head and checkpoints, the log with its postings, requests, attempts,
/// conflicts, balances; each kind is closed by its `end…`, so that rows that are missing are found as well. What only a
/// database file can have wrong (pages, tables) is for its reader to find.
package struct LedgerAudit {
    /// What was found so far.
    package private(set) var result: AuditResult
    private let publicKey: Data
    private let trustedKey: Data?
    private let anchor: Checkpoint?
    private let grace: AuditGrace?
    private let version: Int64
    private var names: Set<Data>?
    private var replay = Replay()
    private var chain: Chain
    /// What was signed of the rows that have not come yet.
    private var expected: [Int64: [Checkpoint]] = [:]
    private var requests: [Data: Replay.Request] = [:]
    private var attempts: [Int64: (request: Int64, record: AttemptRecord)] = [:]
    private var conflicts: [Int64: Replay.Conflict] = [:]
    private var balances: [AccountKey: AccountSums] = [:]
    private var sums: [AccountUnit: Int128] = [:]

    /// - Parameters:
    ///   - publicKey: the key that the ledger names.
    ///   - trustedKey: the key that must have signed; nil for the one that the ledger names.
    ///   - anchor: a head or checkpoint kept outside, which the log must contain.
    ///   - grace: what ended so lately that its attempts may still be on their way; without it nothing is, as in a
    ///     ledger at rest.
    ///   - version: of the tables that the rows come from.
    ///   - namesAreUnique: whether the tables cannot hold two rows of one name, so that the audit need not remember them.
    ///   - result: what was found before.
    package init(
        publicKey: Data, trustedKey: Data? = nil, anchor: Checkpoint? = nil, grace: AuditGrace? = nil,
        version: Int64 = 2, namesAreUnique: Bool = false, result: AuditResult = AuditResult()
    ) {
        self.publicKey = publicKey
        self.trustedKey = trustedKey
        self.anchor = anchor
        self.grace = grace
        self.version = version
        self.result = result
        names = namesAreUnique ? nil : []
        chain = Chain(publicKey: publicKey)
        self.result.publicKey = publicKey
        if let trustedKey, trustedKey != publicKey {
            self.result.note(.violation, .checkpoint, nil, "the ledger is signed with another key than the one given")
        }
    }

    // MARK: Signatures

    /// - Parameters:
    ///   - head: nil where there is none that can be read.
    ///   - checkpoints: in the order of their numbers.
    package mutating func take(head: Checkpoint?, checkpoints: [Checkpoint]) {
        result.head = head
        result.checkpoints = checkpoints.count
        for (index, checkpoint) in checkpoints.enumerated() {
            if checkpoint.number != Int64(index) + 1 {
                result.note(.violation, .checkpoint, checkpoint.sequence, "checkpoint \(index + 1) is missing")
            }
            if !checkpoint.isSigned(by: publicKey) {
                result.note(.violation, .checkpoint, checkpoint.sequence, "\(checkpoint.label) has no valid signature")
            }
        }
        expected = Dictionary(grouping: checkpoints, by: \.sequence)
        if let anchor { expected[anchor.sequence, default: []].append(anchor) }
        guard let head else { return result.note(.violation, .checkpoint, nil, "there is no signed head") }
        expected[head.sequence, default: []].append(head)
        if !head.isSigned(by: publicKey) {
            result.note(.violation, .checkpoint, head.sequence, "the head has no valid signature")
        }
        if let anchor, !anchor.isSigned(by: trustedKey ?? publicKey) {
            result.note(.violation, .checkpoint, anchor.sequence, "the anchor given is not signed by this ledger's key")
        }
    }

    // MARK: The log

    /// Takes the log's next row.
    /// - Parameter nextPosting: the next of all postings, in the order in which they were made; nil after the last.
    package mutating func take(_ row: LogRow, nextPosting: () throws -> PostingRow?) rethrows {
        if row.sequence != chain.sequence &+ 1 {
            result.note(
                .violation, .chain, row.sequence, "it follows row \(chain.sequence): rows in between are missing")
            chain = Chain(sequence: row.sequence &- 1, hash: chain.hash)
        }
        let hash = chain.append(kind: row.kind, received: row.received, name: row.name, body: row.body)
        if hash != row.hash {
            result.note(
                .violation, .chain, row.sequence, "its hash does not follow from the row before and its content")
            chain = Chain(sequence: row.sequence, hash: row.hash)
        }
        for checkpoint in expected.removeValue(forKey: row.sequence) ?? [] where checkpoint.hash != row.hash {
            result.note(.violation, .checkpoint, row.sequence, "\(checkpoint.label) has signed another hash")
        }
        if names?.insert(row.name).inserted == false {
            result.note(.violation, .exactlyOnce, row.sequence, "another row has its name")
        }
        let postings = replay.take(row, into: &result)
        for posting in postings {
            guard let stored = try nextPosting() else {
                return result.note(.violation, .posting, row.sequence, "its postings are missing")
            }
            if stored != PostingRow(posting, event: row.sequence, tenant: replay.tenant) {
                result.note(
                    .violation, .posting, row.sequence,
                    "\(posting.amount) from \(posting.credit) to \(posting.debit) should stand where another posting does"
                )
            }
        }
    }

    /// - Parameter hasMorePostings: whether there are any beyond those that the rows have asked for.
    package mutating func endLog(hasMorePostings: Bool) {
        if hasMorePostings {
            result.note(.violation, .posting, nil, "there are postings beyond those that the log gives")
        }
        for checkpoint in expected.values.joined().sorted(by: { $0.sequence < $1.sequence }) {
            result.note(
                .violation, .checkpoint, checkpoint.sequence,
                "\(checkpoint.label) has signed this row, which is missing: the log was cut")
        }
        if let head = result.head, head.sequence < chain.sequence {
            result.note(.violation, .checkpoint, head.sequence, "rows after the signed head were added by another hand")
        }
        result.counts.events = chain.sequence
        result.counts.conflicts = Int64(replay.conflicts.count)
        expected = [:]
        names = nil
        requests = replay.requests
        for request in replay.requests.values {
            for record in request.state.attempts { attempts[record.sequence] = (request.state.id, record) }
        }
        conflicts = replay.conflicts
        balances = replay.balances
    }

    // MARK: Projections

    package mutating func take(_ request: StoredRequest) {
        guard let state = expectedRequest(request.state.key, id: request.state.id) else { return }
        var stored = request.state
        stored.attempts = state.attempts
        if version == 1 {
            stored.owner = state.owner
            stored.maximumTokens = state.maximumTokens
            stored.label = state.label
        }
        let sums =
            request.produced == state.producedTokens && request.billed == state.billedTokens
            && request.wasted == state.wastedTokens && request.attempts == Int64(state.attempts.count)
        if stored != state || !sums {
            result.note(
                .violation, .request, state.id, "request \(state.requestID) is not what the log gives")
        }
    }

    /// Takes a stored request that cannot be read.
    package mutating func take(damagedRequest id: Int64, key: Data, because reason: String) {
        guard expectedRequest(key, id: id) != nil else { return }
        result.note(.violation, .request, id, reason)
    }

    private mutating func expectedRequest(_ key: Data, id: Int64) -> RequestState? {
        guard let state = requests.removeValue(forKey: key)?.state else {
            result.note(.violation, .request, id, "a request is projected that the log does not have")
            return nil
        }
        return state
    }

    package mutating func endRequests() {
        for request in requests.values.sorted(by: { $0.state.id < $1.state.id }) {
            result.note(.violation, .request, request.state.id, "request \(request.state.requestID) is not projected")
        }
        requests = [:]
    }

    /// - Parameters:
    ///   - sequence: row of its event.
    ///   - request: row of its request's first event.
    ///   - record: nil where it cannot be read.
    package mutating func take(attempt sequence: Int64, of request: Int64, _ record: AttemptRecord?) {
        guard let expected = attempts.removeValue(forKey: sequence), request == expected.request,
            record == expected.record
        else { return result.note(.violation, .request, sequence, "an attempt is not what the log gives") }
    }

    package mutating func endAttempts() {
        for sequence in attempts.keys.sorted() {
            result.note(.violation, .request, sequence, "an attempt is not projected")
        }
        attempts = [:]
    }

    package mutating func take(_ conflict: ConflictRow) {
        guard let expected = conflicts.removeValue(forKey: conflict.event), conflict.request == expected.request,
            conflict.reason == Int64(expected.reason.rawValue)
        else {
            return result.note(
                .violation, .exactlyOnce, conflict.event, "a conflict is listed that the log does not give")
        }
        result.note(.notice, .exactlyOnce, conflict.event, expected.text)
    }

    package mutating func endConflicts() {
        for sequence in conflicts.keys.sorted() {
            result.note(.violation, .exactlyOnce, sequence, "a conflict is not listed")
        }
        conflicts = [:]
    }

    /// - Parameter balance: nil for an account that does not exist.
    package mutating func take(balance: AccountTotal?, of tenant: String) {
        guard let balance,
            let expected = balances.removeValue(forKey: AccountKey(tenant: tenant, account: balance.account)),
            balance.debits == expected.debits, balance.credits == expected.credits
        else {
            return result.note(
                .violation, .balance, nil, "tenant \"\(tenant)\": a balance is not the sum of its postings")
        }
        sums[balance.account.unit, default: 0] &+= balance.balance
    }

    package mutating func endBalances() {
        let missing = balances.keys.sorted { ($0.tenant, $0.account.rawValue) < ($1.tenant, $1.account.rawValue) }
        for key in missing {
            result.note(.violation, .balance, nil, "tenant \"\(key.tenant)\": the balance of \(key.account) is missing")
        }
        for (unit, sum) in sums.sorted(by: { $0.key.rawValue < $1.key.rawValue }) where sum != 0 {
            result.note(.violation, .balance, nil, "the balances in \(unit) sum to \(sum)")
        }
        balances = [:]
    }

    // MARK: The whole

    /// What is left to check when all has come.
    package mutating func finish() -> AuditResult {
        checkCoverage()
        summarize()
        return result
    }

    private mutating func checkCoverage() {
        let short = replay.requests.values.lazy
            .filter { $0.state.status != .expired && Int64($0.state.deliveredTokens) > $0.state.producedTokens }
        for request in short.sorted(by: { $0.state.id < $1.state.id }) {
            let state = request.state
            let text =
                "request \(state.requestID) of \"\(state.tenant)\": \(state.deliveredTokens) tokens were delivered, "
                + "attempts made \(state.producedTokens)"
            if let grace, let endedAt = request.endedAt, grace.covers(endedAt) {
                result.notePending(.coverage, state.endedBy, text + " so far")
            } else {
                result.note(.violation, .coverage, state.endedBy, text)
            }
        }
    }

    private mutating func summarize() {
        for request in replay.requests.values {
            switch request.state.status {
            case .reserved: result.counts.reserved += 1
            case .settled: result.counts.settled += 1
            case .void: result.counts.void += 1
            case .expired: result.counts.expired += 1
            }
            result.producedTokens += Int128(request.state.producedTokens)
            result.deliveredTokens += Int128(request.state.deliveredTokens)
            result.billedTokens += Int128(request.state.billedTokens)
            result.wastedTokens += Int128(request.state.wastedTokens)
        }
        var totals: [Account: AccountTotal] = [:]
        for (key, balance) in replay.balances {
            var total = totals[key.account] ?? AccountTotal(tenant: "", account: key.account, debits: 0, credits: 0)
            total.debits &+= balance.debits
            total.credits &+= balance.credits
            totals[key.account] = total
        }
        result.trialBalance = totals.values.sorted { $0.account.rawValue < $1.account.rawValue }
    }
}

/// A request as it is stored, its attempts apart.
package struct StoredRequest: Equatable, Sendable {
    /// Without attempts.
    package var state: RequestState
    /// The sums that are stored with it.
    package var produced: Int64
    package var billed: Int64
    package var wasted: Int64
    /// How many attempts it has.
    package var attempts: Int64

    package init(state: RequestState, produced: Int64, billed: Int64, wasted: Int64, attempts: Int64) {
        self.state = state
        self.produced = produced
        self.billed = billed
        self.wasted = wasted
        self.attempts = attempts
    }
}

extension Checkpoint {
    fileprivate var label: String { number == 0 ? "the head" : "checkpoint \(number)" }
}
