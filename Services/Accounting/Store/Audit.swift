import Economics
public import Foundation
import GRDB
import Wire

extension LedgerReader {
    /// Proves the ledger from its file: chain, signatures, and that every projection is what a replay gives.
    ///
    /// It sees one committed state, so that a line at work changes nothing between two of its checks. What is true of a
    /// line at rest alone is `coverage`: a settlement may come before the record of the attempt that made its tokens.
    /// - Parameters:
    ///   - anchor: a head or checkpoint kept outside, which the log must contain.
    ///   - publicKey: the key that must have signed; without it, the one that the ledger names.
    ///   - grace: what ended so lately that its attempts may still be on their way; without it nothing is, as in a
    ///     ledger at rest.
    /// - Throws: only when the file cannot be read at all. What is wrong in it is a finding.
    public func audit(
        anchor: Checkpoint? = nil, publicKey: Data? = nil, grace: AuditGrace? = nil
    ) throws(LedgerError) -> AuditResult {
        try read("audit") { db in
            var audit = Audit(db, path: path, anchor: anchor, publicKey: publicKey, grace: grace)
            do {
                try audit.run()
            } catch {
                audit.result.note(.violation, .file, nil, "the audit cannot go on: \(error)")
            }
            return audit.result
        }
    }
}

/// One audit in one read transaction.
struct Audit {
    let db: Database
    let path: String
    let anchor: Checkpoint?
    let trustedKey: Data?
    let grace: AuditGrace?
    /// Of the tables that are there.
    private var version = Schema.version
    var result = AuditResult()
    var replay = Replay()

    init(_ db: Database, path: String, anchor: Checkpoint?, publicKey: Data?, grace: AuditGrace?) {
        self.db = db
        self.path = path
        self.anchor = anchor
        trustedKey = publicKey
        self.grace = grace
    }

    mutating func run() throws {
        for text in try String.fetchAll(db, sql: "PRAGMA integrity_check(20)") where text != "ok" {
            result.note(.violation, .file, nil, text)
        }
        try compareSchema()
        guard result.passed else { return }
        guard let key = try Data.fetchOne(db, sql: "SELECT value FROM meta WHERE name = 'public-key'") else {
            return result.note(.violation, .checkpoint, nil, "the ledger names no public key")
        }
        result.publicKey = key
        if let trustedKey, trustedKey != key {
            result.note(.violation, .checkpoint, nil, "the ledger is signed with another key than the one given")
        }
        try replayLog(key: key)
        try compareRequests()
        try compareAttempts()
        try compareConflicts()
        try compareBalances()
        checkCoverage()
        summarize()
    }

    private mutating func compareSchema() throws {
        let query = "SELECT type || ' ' || name || ': ' || ifnull(sql, '') FROM sqlite_master"
        let tables = Set(try String.fetchAll(db, sql: query))
        // A ledger that no accounting of this version has opened yet is as the version before made it.
        let found = try Int64.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        if (Schema.oldest...Schema.version).contains(found) { version = found }
        let expected = try DatabaseQueue().write { [version] db in
            try Schema.create(db, version: version)
            return Set(try String.fetchAll(db, sql: query))
        }
        for item in expected.subtracting(tables).sorted() {
            result.note(.violation, .schema, nil, "missing or altered: \(item.prefix { $0 != ":" })")
        }
        for item in tables.subtracting(expected).sorted() {
            result.note(.violation, .schema, nil, "not of the ledger: \(item.prefix { $0 != ":" })")
        }
    }

    // MARK: The log

    private mutating func replayLog(key: Data) throws {
        let checkpoints = try Row.fetchAll(db, sql: "SELECT * FROM checkpoint ORDER BY number")
            .map { try CheckpointRow.decode($0) }
        checkSignatures(checkpoints, key: key)
        var expected = Dictionary(grouping: checkpoints, by: \.sequence)
        if let head = result.head { expected[head.sequence, default: []].append(head) }
        if let anchor { expected[anchor.sequence, default: []].append(anchor) }

        var chain = Chain(publicKey: key)
        let postings = try Row.fetchCursor(
            db, sql: "SELECT event, tenant, debit, credit, amount FROM posting ORDER BY rowid")
        let events = try Row.fetchCursor(
            db, sql: "SELECT sequence, kind, received, name, body, hash FROM event ORDER BY sequence")
        while let row = try events.next() {
            let sequence: Int64 = row[0]
            if sequence != chain.sequence + 1 {
                result.note(
                    .violation, .chain, sequence, "it follows row \(chain.sequence): rows in between are missing")
                chain = Chain(sequence: sequence - 1, hash: chain.hash)
            }
            let entry = LogEntry(
                sequence: sequence, kind: UInt8(clamping: row[1] as Int64), received: row[2], name: row[3], body: row[4]
            )
            let hash = chain.append(kind: entry.kind, received: entry.received, name: entry.name, body: entry.body)
            let stored: Data = row[5]
            if hash != stored {
                result.note(
                    .violation, .chain, sequence, "its hash does not follow from the row before and its content")
                chain = Chain(sequence: sequence, hash: stored)
            }
            for checkpoint in expected.removeValue(forKey: sequence) ?? [] where checkpoint.hash != stored {
                result.note(.violation, .checkpoint, sequence, "\(checkpoint.label) has signed another hash")
            }
            let rows = replay.take(entry, into: &result)
            try comparePostings(rows, of: sequence, with: postings)
        }
        if try postings.next() != nil {
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
    }

    private mutating func checkSignatures(_ checkpoints: [Checkpoint], key: Data) {
        result.checkpoints = checkpoints.count
        for (index, checkpoint) in checkpoints.enumerated() {
            if checkpoint.number != Int64(index) + 1 {
                result.note(.violation, .checkpoint, checkpoint.sequence, "checkpoint \(index + 1) is missing")
            }
            if !checkpoint.isSigned(by: key) {
                result.note(.violation, .checkpoint, checkpoint.sequence, "\(checkpoint.label) has no valid signature")
            }
        }
        do {
            let bytes = try Data.fetchOne(db, sql: "SELECT value FROM meta WHERE name = 'head'")
            result.head = bytes.flatMap(CheckpointRow.decodeHead)
        } catch {
            result.note(.violation, .checkpoint, nil, "the head cannot be read: \(error)")
        }
        guard let head = result.head else {
            return result.note(.violation, .checkpoint, nil, "there is no signed head")
        }
        if !head.isSigned(by: key) {
            result.note(.violation, .checkpoint, head.sequence, "the head has no valid signature")
        }
        if let anchor, !anchor.isSigned(by: trustedKey ?? key) {
            result.note(.violation, .checkpoint, anchor.sequence, "the anchor given is not signed by this ledger's key")
        }
    }

    private mutating func comparePostings(_ expected: [Posting], of sequence: Int64, with rows: RowCursor) throws {
        for posting in expected {
            guard let row = try rows.next() else {
                return result.note(.violation, .posting, sequence, "its postings are missing")
            }
            let same =
                row[0] as Int64 == sequence && row[1] as String == replay.tenant
                && row[2] as Int64 == Int64(posting.debit.rawValue)
                && row[3] as Int64 == Int64(posting.credit.rawValue) && row[4] as Int64 == posting.amount
            if !same {
                result.note(
                    .violation, .posting, sequence,
                    "\(posting.amount) from \(posting.credit) to \(posting.debit) should stand where another posting does"
                )
            }
        }
    }

    // MARK: Projections

    private mutating func compareRequests() throws {
        var left = replay.requests
        let rows = try Row.fetchCursor(db, sql: "SELECT * FROM request ORDER BY id")
        while let row = try rows.next() {
            let id: Int64 = row["id"]
            guard let state = left.removeValue(forKey: row["key"] as Data)?.state else {
                result.note(.violation, .request, id, "a request is projected that the log does not have")
                continue
            }
            var stored: RequestState
            do {
                stored = try RequestRow.decode(row, path: path)
            } catch {
                result.note(.violation, .request, id, "\(error)")
                continue
            }
            stored.attempts = state.attempts
            if version == 1 {
                stored.owner = state.owner
                stored.maximumTokens = state.maximumTokens
                stored.label = state.label
            }
            let sums =
                row["produced"] as Int64 == state.producedTokens && row["billed"] as Int64 == state.billedTokens
                && row["wasted"] as Int64 == state.wastedTokens
                && row["attempts"] as Int64 == Int64(state.attempts.count)
            if stored != state || !sums {
                result.note(.violation, .request, id, "request \(state.requestID) is not what the log gives")
            }
        }
        for request in left.values.sorted(by: { $0.state.id < $1.state.id }) {
            result.note(.violation, .request, request.state.id, "request \(request.state.requestID) is not projected")
        }
    }

    private mutating func compareAttempts() throws {
        var left: [Int64: (request: Int64, record: AttemptRecord)] = [:]
        for request in replay.requests.values {
            for record in request.state.attempts { left[record.sequence] = (request.state.id, record) }
        }
        let rows = try Row.fetchCursor(db, sql: "SELECT * FROM attempt ORDER BY event")
        while let row = try rows.next() {
            let sequence: Int64 = row["event"]
            let expected = left.removeValue(forKey: sequence)
            guard let expected, row["request"] as Int64 == expected.request,
                (try? AttemptRow.decode(row, path: path)) == expected.record
            else {
                result.note(.violation, .request, sequence, "an attempt is not what the log gives")
                continue
            }
        }
        for sequence in left.keys.sorted() {
            result.note(.violation, .request, sequence, "an attempt is not projected")
        }
    }

    private mutating func compareConflicts() throws {
        var left = replay.conflicts
        let rows = try Row.fetchCursor(db, sql: "SELECT event, request, reason FROM conflict ORDER BY event")
        while let row = try rows.next() {
            let sequence: Int64 = row[0]
            let expected = left.removeValue(forKey: sequence)
            guard let expected, row[1] as Int64 == expected.request, row[2] as Int64 == Int64(expected.reason.rawValue)
            else {
                result.note(.violation, .exactlyOnce, sequence, "a conflict is listed that the log does not give")
                continue
            }
            result.note(.notice, .exactlyOnce, sequence, expected.text)
        }
        for sequence in left.keys.sorted() {
            result.note(.violation, .exactlyOnce, sequence, "a conflict is not listed")
        }
        result.counts.conflicts = Int64(replay.conflicts.count)
    }

    private mutating func compareBalances() throws {
        var left = replay.balances
        var sums: [AccountUnit: Int128] = [:]
        let rows = try Row.fetchCursor(db, sql: "SELECT * FROM balance")
        while let row = try rows.next() {
            let tenant: String = try row.checked("tenant")
            guard let stored = try BalanceRow.decode(row),
                let expected = left.removeValue(forKey: Replay.AccountKey(tenant: tenant, account: stored.account)),
                stored.debits == expected.debits, stored.credits == expected.credits
            else {
                result.note(.violation, .balance, nil, "tenant \"\(tenant)\": a balance is not the sum of its postings")
                continue
            }
            sums[stored.account.unit, default: 0] &+= stored.balance
        }
        for key in left.keys {
            result.note(.violation, .balance, nil, "tenant \"\(key.tenant)\": the balance of \(key.account) is missing")
        }
        for (unit, sum) in sums where sum != 0 {
            result.note(.violation, .balance, nil, "the balances in \(unit) sum to \(sum)")
        }
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

extension Checkpoint {
    fileprivate var label: String { number == 0 ? "the head" : "checkpoint \(number)" }
}
