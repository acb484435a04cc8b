package import Economics
package import Foundation
package import Wire

/// Where a request stands. It leaves `reserved` once.
public enum RequestStatus: UInt8, Sendable, CaseIterable {
    case reserved = 0
    case settled = 1
    case void = 2
    case expired = 3
}

/// Why an event was kept without counting.
public enum ConflictReason: UInt8, Sendable, CaseIterable {
    /// Its name is known with another body.
    case otherBody = 1
    /// The request had ended already, by another event.
    case secondEnd = 2
    /// The request had expired. Of ledgers of version 1; since then such an end counts.
    case lateEnd = 3
    /// Another ingest opened the request.
    case foreignRequest = 4
    /// It states more tokens than were reserved.
    case beyondReserved = 5
    /// There are too many records of attempts of this request already.
    case tooManyAttempts = 6
}

/// What is on record of one attempt, by one witness.
package struct AttemptRecord: Equatable, Sendable {
    /// Row of the event.
    package var sequence: Int64
    package var ingestAttempt: UInt16
    package var tokenizerAttempt: UInt16
    package var producer: UInt64
    package var witness: Witness
    package var promptTokens: UInt32
    package var cachedTokens: UInt32
    package var producedTokens: UInt32
    package var tokensAfterCancel: UInt32
    /// Nil when not known.
    package var microjoules: Int64?
    package var energySource: UInt8
    package var outcome: FinishReason
    package var worker: String
    package var model: String
    /// Of `producedTokens`, those that the request's sum takes from this record.
    package var counted: UInt32 = 0
    /// Whether this record, and no better one, stands for its attempt.
    package var stands = false

    package init(
        sequence: Int64, ingestAttempt: UInt16, tokenizerAttempt: UInt16, producer: UInt64, witness: Witness,
        promptTokens: UInt32, cachedTokens: UInt32, producedTokens: UInt32, tokensAfterCancel: UInt32,
        microjoules: Int64?, energySource: UInt8, outcome: FinishReason, worker: String, model: String,
        counted: UInt32, stands: Bool
    ) {
        self.sequence = sequence
        self.ingestAttempt = ingestAttempt
        self.tokenizerAttempt = tokenizerAttempt
        self.producer = producer
        self.witness = witness
        self.promptTokens = promptTokens
        self.cachedTokens = cachedTokens
        self.producedTokens = producedTokens
        self.tokensAfterCancel = tokensAfterCancel
        self.microjoules = microjoules
        self.energySource = energySource
        self.outcome = outcome
        self.worker = worker
        self.model = model
        self.counted = counted
        self.stands = stands
    }

    package enum Witness: UInt8, Sendable {
        /// The worker itself.
        case worker = 1
        /// The tokenizer that lost the worker.
        case dispatcher = 2
        /// The ingest that lost the tokenizer: a floor under all that stands below this ingest attempt.
        case line = 3
    }

    fileprivate enum EnergyLimit {
        /// A gigajoule for one attempt is a fault of its meter; beyond it the energy counts as not known.
        static let microjoules: Int64 = 1_000_000_000_000_000
    }
}

extension AttemptRecord {
    init(_ event: LedgerEvent, sequence: Int64) {
        self.sequence = sequence
        ingestAttempt = event.ingestAttempt
        tokenizerAttempt = event.tokenizerAttempt
        producer = event.producer
        witness = event.kind == .attempt ? .worker : event.producerRole == .ingest ? .line : .dispatcher
        promptTokens = event.promptTokens
        cachedTokens = event.cachedTokens
        producedTokens = event.producedTokens
        tokensAfterCancel = event.tokensAfterCancel
        let known = (1...2).contains(event.energySource) && (0...EnergyLimit.microjoules).contains(event.microjoules)
        microjoules = known ? event.microjoules : nil
        energySource = known ? event.energySource : 0
        outcome = event.outcome
        worker = event.worker
        model = event.model
    }
}

/// All that the ledger concludes about one request: a function of its events, and but for which of two
/// contradicting ends stands, not of their order.
package struct RequestState: Equatable, Sendable {
    /// Row of the first event.
    package let id: Int64
    package let key: Data
    package let requestID: RequestID
    package let tenant: String
    /// When the first event came, in nanoseconds since 1970.
    package let openedAt: Int64
    /// Row of the price list that holds for it.
    package let prices: Int64
    /// Boot epoch of the ingest that opened it; nil while no event of an ingest has come.
    package var owner: UInt64?
    /// The most tokens that may be made by what was reserved; 0 where there is no such limit.
    package var maximumTokens: UInt32 = 0
    /// What its client calls it.
    package var label = ""
    package var model: String
    package var status = RequestStatus.reserved
    /// Row of the event that ended it.
    package var endedBy: Int64?
    /// Nano-dollars.
    package var reserved: Int64 = 0
    /// Nano-dollars.
    package var amount: Int64 = 0
    package var promptTokens: UInt32 = 0
    package var cachedTokens: UInt32 = 0
    package var deliveredTokens: UInt32 = 0
    package var attempts: [AttemptRecord] = []

    package init(id: Int64, key: Data, event: LedgerEvent, openedAt: Int64, prices: Int64) {
        self.init(
            id: id, key: key, requestID: event.requestID, tenant: event.tenant, openedAt: openedAt, prices: prices,
            model: event.model)
    }

    package init(
        id: Int64, key: Data, requestID: RequestID, tenant: String, openedAt: Int64, prices: Int64, model: String
    ) {
        self.id = id
        self.key = key
        self.requestID = requestID
        self.tenant = tenant
        self.openedAt = openedAt
        self.prices = prices
        self.model = model
    }

    /// Tokens on record as made.
    package var producedTokens: Int64 { attempts.reduce(0) { $0 + Int64($1.counted) } }

    /// Delivered and charged.
    package var billedTokens: Int64 { status == .settled ? Int64(deliveredTokens) : 0 }

    /// Made and not delivered, of a request that has ended.
    package var wastedTokens: Int64 {
        status == .reserved ? 0 : max(0, producedTokens - Int64(deliveredTokens))
    }

    /// Why the event may not be stated of this request, whatever else it says; nil when it may.
    ///
    /// An ingest speaks of what it opened itself, and nobody of more tokens than were reserved.
    package func refusal(of event: LedgerEvent) -> ConflictReason? {
        switch event.kind {
        case .reserve:
            guard owner == nil || owner == event.producer else { return .foreignRequest }
        case .settle, .void:
            guard owner == nil || owner == event.producer else { return .foreignRequest }
            guard maximumTokens == 0 || event.deliveredTokens <= maximumTokens else { return .beyondReserved }
        case .attempt, .lostAttempt:
            guard maximumTokens == 0 || event.producedTokens <= maximumTokens else { return .beyondReserved }
            guard attempts.count < Self.attemptLimit else { return .tooManyAttempts }
        }
        return nil
    }

    /// Records of attempts that one request may have: each new one is weighed against all others.
    private static let attemptLimit = 256

    /// Takes one event in. The result says why it counts for nothing, where that is so.
    package mutating func apply(
        _ event: LedgerEvent, sequence: Int64, prices: PriceList
    ) throws(AmountOverflow) -> ConflictReason? {
        switch event.kind {
        case .reserve, .settle, .void: if owner == nil { owner = event.producer }
        case .attempt, .lostAttempt: break
        }
        switch event.kind {
        case .reserve:
            maximumTokens = max(maximumTokens, event.maximumTokens)
            if label.isEmpty { label = event.label }
            let worst = try prices.price(of: event.model)
                .cost(prompt: event.promptTokens, cached: 0, output: event.maximumTokens)
            // Two ingests may each have reserved a request that its client sent twice: one of them can settle.
            reserved = max(reserved, try Self.column(worst))
        case .settle, .void:
            guard status == .reserved else { return status == .expired ? .lateEnd : .secondEnd }
            status = event.kind == .settle ? .settled : .void
            endedBy = sequence
            model = event.model
            promptTokens = event.promptTokens
            cachedTokens = min(event.cachedTokens, event.promptTokens)
            deliveredTokens = event.deliveredTokens
            guard event.kind == .settle else { break }
            amount = try Self.column(
                prices.price(of: event.model)
                    .cost(prompt: promptTokens, cached: cachedTokens, output: deliveredTokens))
        case .attempt, .lostAttempt:
            attempts.append(AttemptRecord(event, sequence: sequence))
            count()
        }
        return nil
    }

    /// One request's money as its column holds it: no price list lets it be more.
    private static func column(_ money: Money) throws(AmountOverflow) -> Int64 {
        guard let amount = Int64(exactly: money.nanodollars) else { throw AmountOverflow() }
        return amount
    }

    /// The ingest of an expired request has come back: the request is open again, for its end.
    package mutating func reopen() {
        guard status == .expired else { return }
        status = .reserved
        endedBy = nil
    }

    package mutating func expire(sequence: Int64) {
        guard status == .reserved else { return }
        status = .expired
        endedBy = sequence
    }

    /// Says which records stand: the worker's own before its dispatcher's, and the line's only for what those below
    /// it do not cover.
    private mutating func count() {
        for index in attempts.indices {
            let record = attempts[index]
            attempts[index].stands =
                switch record.witness {
                case .worker: true
                case .dispatcher:
                    !attempts.contains {
                        $0.witness == .worker && $0.ingestAttempt == record.ingestAttempt
                            && $0.tokenizerAttempt == record.tokenizerAttempt && $0.producer == record.producer
                    }
                case .line: false
                }
            attempts[index].counted = attempts[index].stands ? record.producedTokens : 0
        }
        for ingestAttempt in Set(attempts.lazy.filter { $0.witness == .line }.map(\.ingestAttempt)) {
            let covered = attempts.reduce(Int64(0)) {
                $0 + ($1.ingestAttempt == ingestAttempt ? Int64($1.counted) : 0)
            }
            let floor = attempts.indices
                .filter { attempts[$0].witness == .line && attempts[$0].ingestAttempt == ingestAttempt }
                .max { a, b in
                    let (left, right) = (attempts[a], attempts[b])
                    return (left.producedTokens, left.producer) < (right.producedTokens, right.producer)
                }
            guard let floor, Int64(attempts[floor].producedTokens) > covered else { continue }
            attempts[floor].counted = UInt32(Int64(attempts[floor].producedTokens) - covered)
            attempts[floor].stands = true
        }
    }
}
