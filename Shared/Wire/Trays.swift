/// One stream's part of an engine step.
public struct TokenRow: Equatable, Sendable {
    public var handle: UInt32
    /// Ids of this row in the tray's `tokens`.
    public var tokenCount: UInt16
    public var finish: FinishReason
    public var status: Status
    /// Index of the row's first token, counted from the end of the original prompt.
    public var position: UInt32
    /// Tokens of prompt (resumed ones included) that came from the prefix cache; set in the first row.
    public var cachedTokens: UInt32
    /// The digest of `Generate.tokens`; set in the first row, else 0.
    public var digest: UInt64

    public init(
        handle: UInt32, tokenCount: UInt16, finish: FinishReason = .none, status: Status = .ok, position: UInt32,
        cachedTokens: UInt32 = 0, digest: UInt64 = 0
    ) {
        self.handle = handle
        self.tokenCount = tokenCount
        self.finish = finish
        self.status = status
        self.position = position
        self.cachedTokens = cachedTokens
        self.digest = digest
    }
}

/// Inference worker → tokenizer: what one step made for that tokenizer. `tokens` are the rows' ids, in row order.
public struct TokenBatch: Equatable, Sendable {
    /// Counts the trays of this session, from 1.
    public var tray: UInt64
    public var rows: [TokenRow]
    public var tokens: [UInt32]
    public var hops: [HopRecord]

    public init(tray: UInt64 = 0, rows: [TokenRow] = [], tokens: [UInt32] = [], hops: [HopRecord] = []) {
        self.tray = tray
        self.rows = rows
        self.tokens = tokens
        self.hops = hops
    }
}

/// One stream's part of a text tray.
public struct TextRow: Equatable, Sendable {
    public var handle: UInt32
    public var tokenCount: UInt16
    public var finish: FinishReason
    public var status: Status
    /// Index of the row's first token, counted from the end of the original prompt.
    public var position: UInt32
    /// UTF-8 bytes of this row in the tray's `text`; an error's message when `finish` is `failed`.
    public var textLength: UInt32
    /// Tokens of the original prompt; set in the first row and in the last.
    public var promptTokens: UInt32
    /// Of these, from the prefix cache; set in the first row and in the last.
    public var cachedTokens: UInt32

    public init(
        handle: UInt32, tokenCount: UInt16, finish: FinishReason = .none, status: Status = .ok, position: UInt32,
        textLength: UInt32, promptTokens: UInt32 = 0, cachedTokens: UInt32 = 0
    ) {
        self.handle = handle
        self.tokenCount = tokenCount
        self.finish = finish
        self.status = status
        self.position = position
        self.textLength = textLength
        self.promptTokens = promptTokens
        self.cachedTokens = cachedTokens
    }
}

/// Tokenizer → ingest (`textBatch`) and ingest → client (`output`).
public struct TextBatch: Equatable, Sendable {
    /// Counts the trays of this session, from 1.
    public var tray: UInt64
    public var rows: [TextRow]
    public var tokens: [UInt32]
    public var text: [UInt8]
    public var hops: [HopRecord]

    public init(
        tray: UInt64 = 0, rows: [TextRow] = [], tokens: [UInt32] = [], text: [UInt8] = [], hops: [HopRecord] = []
    ) {
        self.tray = tray
        self.rows = rows
        self.tokens = tokens
        self.text = text
        self.hops = hops
    }
}

/// Which way, and for which token, a hop record's stamps were taken.
public enum HopPhase: UInt8, Sendable, CaseIterable {
    case down = 1
    case firstToken = 2
    case lastToken = 3
}

/// One station's stamps for one request: nanoseconds on the clock of the station that sends the frame.
public struct HopRecord: Equatable, Sendable {
    /// Handle of the row that it belongs to.
    public var handle: UInt32
    public var station: StationRole
    public var phase: HopPhase
    /// Half-width in microseconds of the clock-offset estimates that went into the stamps, saturating.
    public var uncertainty: UInt16
    public var receivedAt: UInt64
    public var begunAt: UInt64
    public var sentAt: UInt64

    public init(
        handle: UInt32, station: StationRole, phase: HopPhase, uncertainty: UInt16 = 0, receivedAt: UInt64,
        begunAt: UInt64, sentAt: UInt64
    ) {
        self.handle = handle
        self.station = station
        self.phase = phase
        self.uncertainty = uncertainty
        self.receivedAt = receivedAt
        self.begunAt = begunAt
        self.sentAt = sentAt
    }
}
