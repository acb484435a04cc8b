/// 128 bits that name a request within its tenant, for ever.
public struct RequestID: Hashable, Sendable {
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A new one, as a UUID of version 7 (RFC 9562): those of one time stand together in the ledger's indexes.
    /// - Parameter milliseconds: Since 1970.
    public init(timeOrdered milliseconds: UInt64, using generator: inout some RandomNumberGenerator) {
        high = milliseconds << 16 | 0x7000 | generator.next() & 0x0fff
        low = 1 << 63 | generator.next() >> 2
    }

    /// No request.
    public static let none = RequestID(high: 0, low: 0)
}

extension RequestID: CustomStringConvertible {
    /// 32 lower-case hexadecimal digits.
    public var description: String {
        func hex(_ value: UInt64) -> String {
            let digits = String(value, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        return hex(high) + hex(low)
    }

    /// Reads `description`'s form; nil for anything else.
    public init?(_ text: String) {
        guard text.utf8.count == 32, text.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
            let high = UInt64(text.prefix(16), radix: 16), let low = UInt64(text.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }
}

/// What a station is.
public enum StationRole: UInt8, Sendable, CaseIterable {
    case client = 1
    case ingest = 2
    case tokenizer = 3
    case inferenceWorker = 4
    case accounting = 5

    /// The role's folder: of its keys in a site, of its spools under a spool directory.
    public var folderName: String {
        switch self {
        case .client: "client"
        case .ingest: "ingest"
        case .tokenizer: "tokenizer"
        case .inferenceWorker: "inference-worker"
        case .accounting: "accounting"
        }
    }
}

/// Why a request, or an attempt at one, ended. `none` in a row means that it goes on.
public enum FinishReason: UInt8, Sendable, CaseIterable {
    case none = 0
    /// End-of-generation token or stop string.
    case stop = 1
    /// `max_tokens`, or the context is full.
    case length = 2
    case cancelled = 3
    /// Not possible as asked; the row's status and text say why.
    case failed = 4
    /// Given back unfinished by a station that drains: dispatch it again.
    case handedBack = 5
    /// The station that held it is gone; only in the ledger.
    case lost = 6
}

/// What went wrong, for rows whose finish reason is `failed` and for resets.
public enum Status: UInt16, Sendable, CaseIterable {
    case ok = 0
    /// The request's own fault: parameter or form (HTTP 400).
    case invalidRequest = 1
    /// HTTP 401.
    case unauthenticated = 2
    /// HTTP 404.
    case unknownModel = 3
    /// Prompt and limits do not fit the context (HTTP 400, `context_length_exceeded`).
    case promptTooLong = 4
    /// Admission is full: retry later (HTTP 429).
    case busy = 5
    /// No station below is there (HTTP 503).
    case unavailable = 6
    /// The engine failed (HTTP 500).
    case engineFailed = 7
    /// The answer's digest is not this prompt's (HTTP 500).
    case digestMismatch = 8
    /// A request under this idempotency key is in the works or done already, or a handle is in use (HTTP 409).
    case conflict = 9
    /// Session unknown.
    case unknownSession = 10
    /// No common protocol version.
    case versionMismatch = 11
    /// The frame broke the protocol.
    case protocolViolation = 12
    /// Sent without credit.
    case overCredit = 13
    /// The peer was silent for too long.
    case timedOut = 14
    /// The station is shutting down.
    case draining = 15
    /// A newer session of the same peer took over.
    case superseded = 16
    /// The client's time for the request is over (HTTP 504). From version 2 on, as all that follow.
    case deadlineExceeded = 17
    /// The idempotency key was used with another request body (HTTP 422).
    case keyMismatch = 18
    /// The key may not do this (HTTP 403).
    case forbidden = 19
    /// The key's requests or tokens a minute are used up (HTTP 429).
    case rateLimited = 20

    /// What a peer of this version knows in its place.
    public func written(in version: UInt8) -> Status {
        guard version < 2 else { return self }
        switch self {
        case .deadlineExceeded: return .timedOut
        case .keyMismatch: return .conflict
        case .forbidden: return .unauthenticated
        case .rateLimited: return .busy
        default: return self
        }
    }
}
