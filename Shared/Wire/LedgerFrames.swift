/// What a ledger event states.
public enum EventKind: UInt8, Sendable, CaseIterable {
    /// Ingest: work may start; holds the worst case against the tenant.
    case reserve = 1
    /// Ingest: delivered and billed.
    case settle = 2
    /// Ingest: failed, nothing billed.
    case void = 3
    /// Worker: an attempt ended, with what it made.
    case attempt = 4
    /// Dispatcher: the attempt of a worker that was lost, with what arrived of it.
    case lostAttempt = 5
}

/// One fact for the ledger. Its name is (tenant, request id, ingest attempt, tokenizer attempt, producer, kind).
public struct LedgerEvent: Equatable, Sendable {
    public var kind: EventKind
    public var requestID: RequestID
    public var ingestAttempt: UInt16
    public var tokenizerAttempt: UInt16
    public var producerRole: StationRole
    /// Boot epoch of the process that states it; of the lost worker for `lostAttempt`.
    public var producer: UInt64
    public var outcome: FinishReason
    public var status: Status
    public var promptTokens: UInt32
    public var cachedTokens: UInt32
    /// Tokens that an engine made.
    public var producedTokens: UInt32
    /// Tokens that the client's socket took.
    public var deliveredTokens: UInt32
    /// Of the produced, those made after the cancel arrived.
    public var tokensAfterCancel: UInt32
    /// Reservation: the most tokens that may be made.
    public var maximumTokens: UInt32
    /// Energy of the attempt; negative when not known.
    public var microjoules: Int64
    /// 0 unknown, 1 measured, 2 modelled.
    public var energySource: UInt8
    /// Nanoseconds since 1970 on the producer's wall clock.
    public var wallTime: UInt64
    public var tenant: String
    public var model: String
    /// The worker's name for attempts, else the producer's.
    public var worker: String
    /// What the client calls the request; in `reserve`, else empty. From version 2 on.
    public var label = ""

    public init(
        kind: EventKind, requestID: RequestID, ingestAttempt: UInt16 = 0, tokenizerAttempt: UInt16 = 0,
        producerRole: StationRole, producer: UInt64, outcome: FinishReason = .none, status: Status = .ok,
        promptTokens: UInt32 = 0, cachedTokens: UInt32 = 0, producedTokens: UInt32 = 0, deliveredTokens: UInt32 = 0,
        tokensAfterCancel: UInt32 = 0, maximumTokens: UInt32 = 0, microjoules: Int64 = -1, energySource: UInt8 = 0,
        wallTime: UInt64, tenant: String, model: String, worker: String
    ) {
        self.kind = kind
        self.requestID = requestID
        self.ingestAttempt = ingestAttempt
        self.tokenizerAttempt = tokenizerAttempt
        self.producerRole = producerRole
        self.producer = producer
        self.outcome = outcome
        self.status = status
        self.promptTokens = promptTokens
        self.cachedTokens = cachedTokens
        self.producedTokens = producedTokens
        self.deliveredTokens = deliveredTokens
        self.tokensAfterCancel = tokensAfterCancel
        self.maximumTokens = maximumTokens
        self.microjoules = microjoules
        self.energySource = energySource
        self.wallTime = wallTime
        self.tenant = tenant
        self.model = model
        self.worker = worker
    }
}

/// Producer → accounting. `first` is the spool number of the first event; the others follow without a gap.
public struct RecordBatch: Equatable, Sendable {
    public var first: UInt64
    public var events: [LedgerEvent]
    /// The sender's spool has lost the numbers in front of `first` that accounting does not have: they never come.
    public var isComplete: Bool

    public init(first: UInt64, events: [LedgerEvent], isComplete: Bool = false) {
        self.first = first
        self.events = events
        self.isComplete = isComplete
    }
}

/// Ingest → accounting: asks for an idempotency key before work starts. The first request of a tenant that asks has it.
/// From version 2 on.
public struct Claim: Equatable, Sendable {
    /// The asker's number for it; the answer returns it.
    public var number: UInt64
    /// The request that is to have the key.
    public var requestID: RequestID
    /// SHA-256 of what the request asks for.
    public var bodyDigest: BodyDigest
    public var tenant: String
    public var key: String

    public init(number: UInt64, requestID: RequestID, bodyDigest: BodyDigest, tenant: String, key: String) {
        self.number = number
        self.requestID = requestID
        self.bodyDigest = bodyDigest
        self.tenant = tenant
        self.key = key
    }
}

/// 256 bits of a request body's SHA-256, as four little-endian words.
public struct BodyDigest: Hashable, Sendable {
    public var words: (UInt64, UInt64, UInt64, UInt64)

    public init(_ first: UInt64, _ second: UInt64, _ third: UInt64, _ fourth: UInt64) {
        words = (first, second, third, fourth)
    }

    public static func == (left: BodyDigest, right: BodyDigest) -> Bool { left.words == right.words }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }
}

/// What became of a claim.
public enum ClaimOutcome: UInt8, Sendable, CaseIterable {
    /// The key is the asker's: work may start.
    case granted = 1
    /// Another request has it and is in the works.
    case running = 2
    /// Another request has it and has ended with an answer.
    case ended = 3
    /// The key was used with another body.
    case otherBody = 4
    /// The claim cannot be decided now.
    case refused = 5
}

/// Accounting → ingest. From version 2 on.
public struct ClaimAnswer: Equatable, Sendable {
    public var number: UInt64
    /// The request that has the key.
    public var requestID: RequestID
    public var outcome: ClaimOutcome
    /// How that request ended, for `ended`.
    public var finish: FinishReason
    /// What its client got of it.
    public var deliveredTokens: UInt32

    public init(
        number: UInt64, requestID: RequestID, outcome: ClaimOutcome, finish: FinishReason = .none,
        deliveredTokens: UInt32 = 0
    ) {
        self.number = number
        self.requestID = requestID
        self.outcome = outcome
        self.finish = finish
        self.deliveredTokens = deliveredTokens
    }
}
