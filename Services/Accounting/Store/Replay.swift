import Crypto
import Economics
import Foundation
import Wire

/// A row of the log.
struct LogEntry {
    var sequence: Int64
    var kind: UInt8
    var received: Int64
    var name: Data
    var body: Data
}

/// Rebuilds every projection from the log's rows.
struct Replay {
    struct AccountKey: Hashable {
        var tenant: String
        var account: Account
    }

    struct Balance: Equatable {
        var debits: Int128 = 0
        var credits: Int128 = 0
    }

    struct Request {
        var state: RequestState
        var position: Position
        /// When the row that ended it was received, in nanoseconds since 1970; nil while it is open.
        var endedAt: Int64?
    }

    struct Conflict {
        var request: Int64
        var reason: ConflictReason
        var text: String
    }

    private(set) var requests: [Data: Request] = [:]
    private(set) var balances: [AccountKey: Balance] = [:]
    private(set) var conflicts: [Int64: Conflict] = [:]
    /// Of the last row taken.
    private(set) var tenant = ""
    private var prices: (row: Int64, list: PriceList)?
    private var olderPrices: [Int64: PriceList] = [:]

    /// Takes the next row in, says in `result` what is wrong with it, and returns its postings.
    mutating func take(_ entry: LogEntry, into result: inout AuditResult) -> [Posting] {
        guard let kind = EntryKind(rawValue: entry.kind) else {
            result.note(.violation, .event, entry.sequence, "its kind \(entry.kind) is unknown")
            return []
        }
        switch kind {
        case .reserve, .settle, .void, .attempt, .lostAttempt:
            return takeEvent(entry, kind, into: &result)
        case .expired:
            return takeExpiry(entry, into: &result)
        case .prices:
            guard let list = try? PriceList(json: entry.body) else {
                result.note(.violation, .event, entry.sequence, "its price list cannot be read")
                return []
            }
            check(EntryName.own(.prices, sequence: entry.sequence) == entry.name, entry, &result)
            prices = (entry.sequence, list)
            olderPrices[entry.sequence] = list
        case .gap:
            check(EntryName.own(.gap, sequence: entry.sequence) == entry.name, entry, &result)
            guard let gap = GapBody.decode(entry.body) else {
                result.note(.violation, .event, entry.sequence, "its content cannot be read")
                return []
            }
            result.gaps += 1
            result.note(
                .notice, .exactlyOnce, entry.sequence,
                "records \(gap.numbers.lowerBound)…\(gap.numbers.upperBound) of producer \(gap.producer) never came")
        case .conflict:
            takeConflict(entry, into: &result)
        case .refused:
            takeRefused(entry, into: &result)
        case .reopened:
            return takeReturn(entry, into: &result)
        }
        return []
    }

    private mutating func takeEvent(_ entry: LogEntry, _ kind: EntryKind, into result: inout AuditResult) -> [Posting] {
        guard let event = EventBody.decode(entry.body) else {
            result.note(.violation, .event, entry.sequence, "its content cannot be read")
            return []
        }
        let key = EntryName.key(requestID: event.requestID, tenant: event.tenant)
        check(EntryKind(event.kind) == kind && EntryName.event(event, key: key) == entry.name, entry, &result)
        guard var request = open(key, event, entry), let list = olderPrices[request.state.prices] else {
            result.note(.violation, .event, entry.sequence, "no price list stands before it")
            return []
        }
        do {
            if let reason = try request.state.apply(event, sequence: entry.sequence, prices: list) {
                note(reason, entry, request.state, "\(event.kind) of request \(event.requestID) of \"\(event.tenant)\"")
            }
        } catch {
            result.note(.violation, .event, entry.sequence, "\(error)")
        }
        if request.state.endedBy == entry.sequence { request.endedAt = entry.received }
        return post(&request)
    }

    private mutating func takeExpiry(_ entry: LogEntry, into result: inout AuditResult) -> [Posting] {
        check(EntryName.expired(key: entry.body) == entry.name, entry, &result)
        guard var request = requests[entry.body], request.state.status == .reserved else {
            result.note(.violation, .event, entry.sequence, "it expires a request that is not open")
            return []
        }
        request.state.expire(sequence: entry.sequence)
        request.endedAt = entry.received
        return post(&request)
    }

    private mutating func takeConflict(_ entry: LogEntry, into result: inout AuditResult) {
        guard let event = EventBody.decode(entry.body) else {
            return result.note(.violation, .event, entry.sequence, "its content cannot be read")
        }
        let key = EntryName.key(requestID: event.requestID, tenant: event.tenant)
        let name = EntryName.conflict(
            event: EntryName.event(event, key: key), bodyHash: Data(SHA256.hash(data: entry.body)))
        check(name == entry.name, entry, &result)
        guard let request = open(key, event, entry) else { return }
        requests[key] = request
        note(
            .otherBody, entry, request.state, "\(event.kind) of request \(event.requestID) of \"\(event.tenant)\"")
    }

    private mutating func takeRefused(_ entry: LogEntry, into result: inout AuditResult) {
        guard let (reason, event, body) = RefusedBody.decode(entry.body) else {
            return result.note(.violation, .event, entry.sequence, "its content cannot be read")
        }
        let key = EntryName.key(requestID: event.requestID, tenant: event.tenant)
        let kept = RefusedBody.encode(reason, event: body)
        let name = EntryName.refused(
            event: EntryName.event(event, key: key), bodyHash: Data(SHA256.hash(data: kept)))
        check(name == entry.name, entry, &result)
        guard let request = requests[key] else {
            return result.note(.violation, .event, entry.sequence, "it refuses an event of a request that is not there")
        }
        note(reason, entry, request.state, "\(event.kind) of request \(event.requestID) of \"\(event.tenant)\"")
    }

    private mutating func takeReturn(_ entry: LogEntry, into result: inout AuditResult) -> [Posting] {
        check(EntryName.reopened(key: entry.body) == entry.name, entry, &result)
        guard var request = requests[entry.body], request.state.status == .expired else {
            result.note(.violation, .event, entry.sequence, "it opens a request again that has not expired")
            return []
        }
        request.state.reopen()
        request.endedAt = nil
        result.note(
            .notice, .exactlyOnce, entry.sequence,
            "request \(request.state.requestID) of \"\(request.state.tenant)\" had expired; its ingest came back with its end"
        )
        return post(&request)
    }

    private func open(_ key: Data, _ event: LedgerEvent, _ entry: LogEntry) -> Request? {
        if let request = requests[key] { return request }
        guard let prices else { return nil }
        let state = RequestState(
            id: entry.sequence, key: key, event: event, openedAt: entry.received, prices: prices.row)
        return Request(state: state, position: .none)
    }

    private mutating func post(_ request: inout Request) -> [Posting] {
        let position = Position(of: request.state)
        let postings = position.postings(since: request.position)
        request.position = position
        tenant = request.state.tenant
        for posting in postings {
            balances[AccountKey(tenant: tenant, account: posting.debit), default: Balance()].debits &+= Int128(
                posting.amount)
            balances[AccountKey(tenant: tenant, account: posting.credit), default: Balance()].credits &+= Int128(
                posting.amount)
        }
        requests[request.state.key] = request
        return postings
    }

    private mutating func note(_ reason: ConflictReason, _ entry: LogEntry, _ request: RequestState, _ what: String) {
        let text =
            switch reason {
            case .otherBody: "\(what) came again with another content; the first counts"
            case .secondEnd: "\(what) came after the request had ended (\(request.status)); the first end counts"
            case .lateEnd: "\(what) came after the request had expired; it bills nothing"
            case .foreignRequest: "\(what) came from an ingest that did not open the request; it does not count"
            case .beyondReserved: "\(what) states more tokens than were reserved; it does not count"
            case .tooManyAttempts: "\(what) is one more than a request may have; it does not count"
            }
        conflicts[entry.sequence] = Conflict(request: request.id, reason: reason, text: text)
    }

    private func check(_ holds: Bool, _ entry: LogEntry, _ result: inout AuditResult) {
        if !holds { result.note(.violation, .event, entry.sequence, "its name does not say what its content says") }
    }
}
