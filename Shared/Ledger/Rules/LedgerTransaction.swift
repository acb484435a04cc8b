import Crypto
package import Economics
import Foundation
import Wire

/// The rules of one commit: takes events in, keeps the requests that they touch in memory, and writes them back once.
///
/// A plain value over `LedgerState`: it knows no database, clock, thread or random number. When one of its methods
/// throws, nothing of the transaction may stay, and its cache is of no more use.
package struct LedgerTransaction<State: LedgerState> {
    private let state: State
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
    private var balances: [AccountKey: AccountSums] = [:]
    private var producers: [UInt64: UInt64] = [:]
    package private(set) var result = ApplyResult()

    /// - Parameters:
    ///   - prices: the list in force, and its row.
    ///   - now: nanoseconds since 1970, for the record alone: it decides nothing.
    ///   - cache: what the last transaction left.
    package init(
        _ state: State, key: SigningKey, prices: PriceBook, settings: LedgerSettings, now: UInt64,
        cache: consuming RequestCache = RequestCache()
    ) throws {
        self.state = state
        self.key = key
        self.prices = prices
        self.settings = settings
        self.now = Int64(clamping: now)
        chain =
            try state.lastRow().map { Chain(sequence: $0.sequence, hash: $0.hash) } ?? Chain(publicKey: key.publicKey)
        chainAtStart = chain.sequence
        if cache.sequence != chain.sequence { cache.clear() }
        self.cache = cache
    }

    // MARK: Events

    /// Takes a batch in. Its events may have come before, in any order.
    /// - Parameter between: called after each event, for a writer that lets other threads go first.
    package mutating func apply(_ batch: ProducerBatch, between: () -> Void) throws {
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
            if refusal != nil || isReturn, try state.hasRow(named: name) {
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
        guard let known = try state.body(named: name), !EventBody.isSame(known, body) else {
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

    // MARK: Expiry

    /// Expires requests that nobody resolved and whose ingest is gone, at most as many as the settings say.
    /// - Parameters:
    ///   - isGone: whether the ingest of this boot epoch has been away for the time to live.
    ///   - unowned: of the requests, by their rows, of which no ingest has spoken, those that have been so for the time
    ///     to live.
    package mutating func expire(isGone: (UInt64) -> Bool, unowned: (Set<Int64>) -> Set<Int64>) throws {
        let owners = try state.openOwners()
        if owners.contains(nil) {
            let requests = try state.openRequests(of: nil, limit: .max)
            let due = unowned(Set(requests.map(\.id)))
            try expire(requests.filter { due.contains($0.id) })
        }
        // In one order for all tables, so that the log is the same.
        for owner in owners.compactMap({ $0 }).sorted() where isGone(owner) {
            let room = settings.expiryBatch - result.recorded
            guard room > 0 else { return }
            try expire(state.openRequests(of: owner, limit: room))
        }
    }

    private mutating func expire(_ requests: [(id: Int64, key: Data)]) throws {
        for (_, key) in requests where result.recorded < settings.expiryBatch {
            guard let request = try load(key),
                let sequence = try insert(.expired, name: EntryName.expired(key: key), body: key)
            else { continue }
            result.recorded += 1
            request.state.expire(sequence: sequence)
            touch(request)
            try post(request, sequence: sequence)
        }
    }

    // MARK: Rows

    /// Appends a row to the log; nil when its name stands there already.
    private mutating func insert(_ kind: EntryKind, name: Data, body: Data) throws -> Int64? {
        var next = chain
        let hash = next.append(kind: kind.rawValue, received: now, name: name, body: body)
        let row = LogRow(
            sequence: next.sequence, kind: kind.rawValue, received: now, name: name, body: body, hash: hash)
        guard try state.append(row) else { return nil }
        chain = next
        return next.sequence
    }

    private mutating func note(_ reason: ConflictReason, sequence: Int64, request: RequestState) throws {
        try state.append(ConflictRow(event: sequence, request: request.id, reason: Int64(reason.rawValue)))
        result.conflicts.append(
            LedgerConflict(
                sequence: sequence, tenant: request.tenant, requestID: request.requestID, reason: reason))
    }

    /// Writes the rows for what the request has changed by, and remembers the new position.
    private mutating func post(_ request: OpenRequest, sequence: Int64) throws {
        let position = Position(of: request.state)
        for posting in position.postings(since: request.position) {
            try state.append(PostingRow(posting, event: sequence, tenant: request.state.tenant))
            let debit = AccountKey(tenant: request.state.tenant, account: posting.debit)
            balances[debit, default: AccountSums()].debits += Int128(posting.amount)
            let credit = AccountKey(tenant: request.state.tenant, account: posting.credit)
            balances[credit, default: AccountSums()].credits += Int128(posting.amount)
        }
        request.position = position
    }

    // MARK: Prices and producers

    /// Notes the list as in force from here on, unless it is already. Returns its row.
    package mutating func note(_ list: PriceList) throws -> Int64 {
        let body = try list.json()
        if let (row, last) = try state.lastPrices(), last == body {
            prices = PriceBook(row: row, list: list)
            return row
        }
        let name = EntryName.own(.prices, sequence: chain.sequence + 1)
        guard let row = try insert(.prices, name: name, body: body) else {
            throw LedgerError.damaged(path: state.path, sequence: chain.sequence + 1, reason: "its name is taken")
        }
        prices = PriceBook(row: row, list: list)
        return row
    }

    private mutating func priceList(_ row: Int64) throws -> PriceList {
        if row == prices.row { return prices.list }
        if let list = olderPrices[row] { return list }
        guard let body = try state.body(of: row, kind: .prices) else {
            throw LedgerError.damaged(path: state.path, sequence: row, reason: "no price list is there")
        }
        let list = try PriceList(json: body)
        olderPrices[row] = list
        return list
    }

    /// Brings the contiguous number of a producer up to date. A batch beyond it counts, but is not acknowledged before
    /// what is missing has come, or its spool was taken over without it.
    private mutating func noteNumbers(of batch: ProducerBatch) throws {
        guard let numbers = batch.numbers else { return }
        let before = try producers[batch.producer] ?? state.through(batch.producer) ?? 0
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
        guard let stored = try state.request(key) else { return nil }
        let request = OpenRequest(stored, isStored: true)
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
    package mutating func finish() throws {
        guard chain.sequence != chainAtStart || !producers.isEmpty else { return cache.turn(sequence: chain.sequence) }
        for request in touched {
            try state.store(request)
            request.stored()
        }
        for (key, change) in balances {
            try state.add(debits: change.debits, credits: change.credits, to: key.account, of: key.tenant)
        }
        for (producer, through) in producers { try state.setThrough(producer, through) }
        try sign()
        cache.turn(sequence: chain.sequence)
    }

    /// For the next transaction, once this one is committed.
    package func takeCache() -> RequestCache { cache }

    private func sign() throws {
        guard chain.sequence != chainAtStart else { return }
        try state.setHead(key.sign(number: 0, chain: chain, at: now))
        guard chain.sequence / settings.checkpointRows > chainAtStart / settings.checkpointRows else { return }
        try state.append(key.sign(number: state.lastCheckpoint() + 1, chain: chain, at: now))
    }
}
