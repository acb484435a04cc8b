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

    public init(first: UInt64, events: [LedgerEvent]) {
        self.first = first
        self.events = events
    }
}
