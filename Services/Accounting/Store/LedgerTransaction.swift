import Crypto
import Economics
import Foundation
import GRDB
import Wire

/// One write transaction: takes events in, keeps the requests that they touch in memory, and writes them back once.
struct LedgerTransaction {
    private let db: Database
    private let path: String
    private let key: SigningKey
    private let settings: LedgerSettings
    private let now: Int64
    private var prices: PriceBook
    private var olderPrices: [Int64: PriceList] = [:]
    private var chain: Chain
    private let chainAtStart: Int64
    private var cache: RequestCache
    /// Requests that this transaction has changed, in the order of their first change.
    private var touched: [OpenRequest] = []
    private let insertEvent: BoundStatement
    private let insertPosting: BoundStatement
    private var balances: [AccountKey: Balance] = [:]
    private var producers: [UInt64: UInt64] = [:]
    private(set) var result = ApplyResult()

    private struct AccountKey: Hashable {
        var tenant: String
        var account: Account
    }

    private struct Balance {
        var debits: Int128 = 0
        var credits: Int128 = 0
    }

    init(
        _ db: Database, path: String, key: SigningKey, prices: PriceBook, settings: LedgerSettings, now: UInt64,
        cache: consuming RequestCache = RequestCache()
    ) throws {
        self.db = db
        self.path = path
        self.key = key
        self.prices = prices
        self.settings = settings
        self.now = Int64(clamping: now)
        let last = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT sequence, hash FROM event ORDER BY sequence DESC LIMIT 1"))
        chain =
            try last.map { Chain(sequence: try $0.checked(at: 0), hash: try $0.checked(at: 1)) }
            ?? Chain(publicKey: key.publicKey)
        chainAtStart = chain.sequence
        if cache.sequence != chain.sequence { cache.clear() }
        self.cache = cache
        insertEvent = try BoundStatement(
            db,
            """
            INSERT INTO event (sequence, kind, received, name, body, hash) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (name) DO NOTHING
            """)
        insertPosting = try BoundStatement(
            db, "INSERT INTO posting (event, tenant, debit, credit, amount) VALUES (?, ?, ?, ?, ?)")
    }

    // MARK: Events

    mutating func apply(_ batch: ProducerBatch, between: () -> Void) throws {
        guard !batch.batch.events.isEmpty else { return }
        if let reason = batch.violation {
            result.refused.append(RefusedBatch(producer: batch.producer, reason: reason))
            return
        }
        try noteNumbers(of: batch)
        for event in batch.batch.events {
            if let reason = try apply(event) { result.offenders[batch.producer] = reason }
            between()
        }
    }

    /// - Returns: why the event was refused, where it was.
    private mutating func apply(_ event: LedgerEvent) throws -> ConflictReason? {
        let key = EntryName.key(requestID: event.requestID, tenant: event.tenant)
        let name = EntryName.event(event, key: key)
        let body = EventBody.encode(event)
        let known = try load(key)
        if let known {
            let refusal = known.state.refusal(of: event)
            let isReturn = known.state.status == .expired && (event.kind == .settle || event.kind == .void)
            if refusal != nil || isReturn, try isKnown(name) {
                try applyKnown(event, key: key, name: name, body: body)
                return nil
            }
            if let refusal {
                try refuse(event, because: refusal, known, name: name, body: body)
                return refusal
            }
            if isReturn { try reopen(known) }
        }
        guard let sequence = try insert(EntryKind(event.kind), name: name, body: body) else {
            try applyKnown(event, key: key, name: name, body: body)
            return nil
        }
        result.recorded += 1
        let request = open(known, key, event: event, sequence: sequence)
        let list = try priceList(request.state.prices)
        let reason = try request.state.apply(event, sequence: sequence, prices: list)
        if let reason { try note(reason, sequence: sequence, request: request.state) }
        try post(request, sequence: sequence)
        return nil
    }

    private func isKnown(_ name: Data) throws -> Bool {
        try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT sequence FROM event WHERE name = ?"), arguments: [name]) != nil
    }

    /// Keeps an event that its producer may not state of this request.
    private mutating func refuse(
        _ event: LedgerEvent, because reason: ConflictReason, _ request: OpenRequest, name: Data, body: Data
    ) throws {
        let kept = RefusedBody.encode(reason, event: body)
        let name = EntryName.refused(event: name, bodyHash: Data(SHA256.hash(data: kept)))
        guard let sequence = try insert(.refused, name: name, body: kept) else {
            result.duplicates += 1
            return
        }
        result.recorded += 1
        try note(reason, sequence: sequence, request: request.state)
    }

    /// The ingest of an expired request is there after all: what it says of the end counts.
    private mutating func reopen(_ request: OpenRequest) throws {
        let key = request.state.key
        guard let sequence = try insert(.reopened, name: EntryName.reopened(key: key), body: key) else { return }
        result.recorded += 1
        request.state.reopen()
        touch(request)
        try post(request, sequence: sequence)
    }

    /// The name is known: the same body changes nothing, another one is kept as a conflict.
    private mutating func applyKnown(_ event: LedgerEvent, key: Data, name: Data, body: Data) throws {
        let known = try Data.fetchOne(
            db.cachedStatement(sql: "SELECT body FROM event WHERE name = ?"), arguments: [name])
        guard let known, !EventBody.isSame(known, body) else {
            result.duplicates += 1
            return
        }
        let conflict = EntryName.conflict(event: name, bodyHash: Data(SHA256.hash(data: body)))
        guard let sequence = try insert(.conflict, name: conflict, body: body) else {
            result.duplicates += 1
            return
        }
        result.recorded += 1
        let request = open(try load(key), key, event: event, sequence: sequence)
        try note(.otherBody, sequence: sequence, request: request.state)
    }

    /// Owners of requests that nobody has resolved; nil for those of which no ingest has spoken.
    func openOwners() throws -> [UInt64?] {
        try Row.fetchAll(db.cachedStatement(sql: "SELECT DISTINCT owner FROM request WHERE state = 0"))
            .map { try $0.optional("owner", Int64.self).map(UInt64.init(bitPattern:)) }
    }

    /// Expires the open requests of an ingest, or those without one that `includes` picks by their rows.
    mutating func expire(owner: UInt64?, includes: (Int64) -> Bool = { _ in true }) throws {
        let room = settings.expiryBatch - result.recorded
        guard room > 0 else { return }
        let rows = try Row.fetchAll(
            db.cachedStatement(
                sql: "SELECT id, key FROM request WHERE state = 0 AND owner IS ? ORDER BY id LIMIT ?"),
            arguments: [owner.map { Int64(bitPattern: $0) }, owner == nil ? -1 : room])
        for row in rows where result.recorded < settings.expiryBatch {
            guard includes(try row.checked("id")) else { continue }
            let key: Data = try row.checked("key")
            guard let request = try load(key),
                let sequence = try insert(.expired, name: EntryName.expired(key: key), body: key)
            else { continue }
            result.recorded += 1
            request.state.expire(sequence: sequence)
            touch(request)
            try post(request, sequence: sequence)
        }
    }

    /// Rows of open requests of which no ingest has spoken.
    func openWithoutOwner() throws -> Set<Int64> {
        Set(
            try Int64.fetchAll(
                db.cachedStatement(sql: "SELECT id FROM request WHERE state = 0 AND owner IS NULL")))
    }

    // MARK: Rows

    /// Appends a row to the log; nil when its name stands there already.
    private mutating func insert(_ kind: EntryKind, name: Data, body: Data) throws -> Int64? {
        var next = chain
        let hash = next.append(kind: kind.rawValue, received: now, name: name, body: body)
        try insertEvent.run { values in
            values.add(next.sequence)
            values.add(kind.rawValue)
            values.add(now)
            values.add(name)
            values.add(body)
            values.add(hash)
        }
        guard db.changesCount == 1 else { return nil }
        chain = next
        return next.sequence
    }

    private mutating func note(_ reason: ConflictReason, sequence: Int64, request: RequestState) throws {
        try db.cachedStatement(sql: "INSERT INTO conflict (event, request, reason) VALUES (?, ?, ?)")
            .execute(arguments: [sequence, request.id, reason.rawValue])
        result.conflicts.append(
            LedgerConflict(
                sequence: sequence, tenant: request.tenant, requestID: request.requestID, reason: reason))
    }

    /// Writes the rows for what the request has changed by, and remembers the new position.
    private mutating func post(_ request: OpenRequest, sequence: Int64) throws {
        let position = Position(of: request.state)
        for posting in position.postings(since: request.position) {
            try insertPosting.run { values in
                values.add(sequence)
                values.add(request.state.tenant)
                values.add(posting.debit.rawValue)
                values.add(posting.credit.rawValue)
                values.add(posting.amount)
            }
            let debit = AccountKey(tenant: request.state.tenant, account: posting.debit)
            balances[debit, default: Balance()].debits += Int128(posting.amount)
            let credit = AccountKey(tenant: request.state.tenant, account: posting.credit)
            balances[credit, default: Balance()].credits += Int128(posting.amount)
        }
        request.position = position
    }

    // MARK: Prices and producers

    /// Notes the list as in force from here on, unless it is already. Returns its row.
    mutating func note(_ list: PriceList) throws -> Int64 {
        let body = try list.json()
        let last = try Row.fetchOne(
            db, sql: "SELECT sequence, body FROM event WHERE kind = ? ORDER BY sequence DESC LIMIT 1",
            arguments: [EntryKind.prices.rawValue])
        if let last, try last.checked(at: 1, Data.self) == body {
            let row: Int64 = try last.checked(at: 0)
            prices = PriceBook(row: row, list: list)
            return row
        }
        let name = EntryName.own(.prices, sequence: chain.sequence + 1)
        guard let row = try insert(.prices, name: name, body: body) else {
            throw LedgerError.damaged(path: path, sequence: chain.sequence + 1, reason: "its name is taken")
        }
        prices = PriceBook(row: row, list: list)
        return row
    }

    private mutating func priceList(_ row: Int64) throws -> PriceList {
        if row == prices.row { return prices.list }
        if let list = olderPrices[row] { return list }
        let body = try Data.fetchOne(
            db, sql: "SELECT body FROM event WHERE sequence = ? AND kind = ?",
            arguments: [row, EntryKind.prices.rawValue])
        guard let body else { throw LedgerError.damaged(path: path, sequence: row, reason: "no price list is there") }
        let list = try PriceList(json: body)
        olderPrices[row] = list
        return list
    }

    /// Brings the contiguous number of a producer up to date. A batch beyond it counts, but is not acknowledged before
    /// what is missing has come, or its spool was taken over without it.
    private mutating func noteNumbers(of batch: ProducerBatch) throws {
        guard let numbers = batch.numbers else { return }
        let before =
            try producers[batch.producer]
            ?? Int64.fetchOne(
                db.cachedStatement(sql: "SELECT through FROM producer WHERE epoch = ?"),
                arguments: [Int64(bitPattern: batch.producer)]
            ).map(UInt64.init(bitPattern:)) ?? 0
        var row = NumberRow(through: before, ahead: cache.ahead[batch.producer] ?? [])
        for missing in row.take(numbers, isAll: batch.isOrphan) {
            let gap = RecordGap(producer: batch.producer, numbers: missing)
            result.gaps.append(gap)
            _ = try insert(
                .gap, name: EntryName.own(.gap, sequence: chain.sequence + 1), body: GapBody.encode(gap))
        }
        cache.ahead[batch.producer] = row.ahead.isEmpty ? nil : row.ahead
        producers[batch.producer] = row.through
        result.acknowledged[batch.producer] = row.through
    }

    // MARK: Projections

    private mutating func load(_ key: Data) throws -> OpenRequest? {
        if let request = cache.find(key) { return request }
        guard let state = try RequestRow.fetch(db, key: key, path: path) else { return nil }
        let request = OpenRequest(state, isStored: true)
        cache.insert(request)
        return request
    }

    /// The request as it is known, or a new one.
    private mutating func open(
        _ known: OpenRequest?, _ key: Data, event: LedgerEvent, sequence: Int64
    ) -> OpenRequest {
        let request: OpenRequest
        if let known {
            request = known
        } else {
            request = OpenRequest(
                RequestState(id: sequence, key: key, event: event, openedAt: now, prices: prices.row), isStored: false)
            cache.insert(request)
        }
        touch(request)
        return request
    }

    private mutating func touch(_ request: OpenRequest) {
        guard !request.isTouched else { return }
        request.isTouched = true
        touched.append(request)
    }

    /// Writes the projections back and signs what the log is now.
    mutating func finish() throws {
        guard chain.sequence != chainAtStart || !producers.isEmpty else { return cache.turn(sequence: chain.sequence) }
        if !touched.isEmpty {
            let rows = try RequestStatements(db)
            for request in touched {
                try rows.store(request)
                request.stored()
            }
        }
        for (key, change) in balances {
            try BalanceRow.add(
                db, tenant: key.tenant, account: key.account, debits: change.debits, credits: change.credits)
        }
        for (producer, through) in producers {
            try db.cachedStatement(
                sql: """
                    INSERT INTO producer (epoch, through) VALUES (?, ?)
                    ON CONFLICT (epoch) DO UPDATE SET through = excluded.through
                    """
            ).execute(arguments: [Int64(bitPattern: producer), Int64(bitPattern: through)])
        }
        try sign()
        cache.turn(sequence: chain.sequence)
    }

    /// For the next transaction, once this one is committed.
    func takeCache() -> RequestCache { cache }

    private func sign() throws {
        guard chain.sequence != chainAtStart else { return }
        let head = try key.sign(number: 0, chain: chain, at: now)
        try db.cachedStatement(sql: "UPDATE meta SET value = ? WHERE name = 'head'")
            .execute(arguments: [CheckpointRow.encode(head)])
        guard chain.sequence / settings.checkpointRows > chainAtStart / settings.checkpointRows else { return }
        let number = try Int64.fetchOne(db, sql: "SELECT ifnull(max(number), 0) + 1 FROM checkpoint") ?? 1
        let checkpoint = try key.sign(number: number, chain: chain, at: now)
        try db.cachedStatement(
            sql: "INSERT INTO checkpoint (number, sequence, hash, made_at, signature) VALUES (?, ?, ?, ?, ?)"
        ).execute(arguments: [
            checkpoint.number, checkpoint.sequence, checkpoint.hash, checkpoint.madeAt, checkpoint.signature,
        ])
    }
}
