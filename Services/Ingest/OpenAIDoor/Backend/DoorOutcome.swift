/// How a request ended.
public enum DoorEnd: Equatable, Sendable {
    case finished(DoorFinish)
    case failed(DoorFailure)
}

/// A request that was answered.
public struct DoorFinish: Equatable, Sendable {
    /// Why generation ended; the raw value is OpenAI's `finish_reason`.
    public enum Reason: String, Sendable {
        /// End-of-generation token or stop string.
        case stop
        /// `max_tokens`, or the context is full.
        case length
    }

    public var reason: Reason
    public var usage: DoorUsage
    /// The request's hop records; empty unless it asked for them.
    public var hops: [DoorHop]

    public init(reason: Reason, usage: DoorUsage, hops: [DoorHop] = []) {
        self.reason = reason
        self.usage = usage
        self.hops = hops
    }
}

/// Tokens of one request.
public struct DoorUsage: Equatable, Sendable {
    public var promptTokens: Int
    public var completionTokens: Int
    /// Of `promptTokens`, those whose KV cache was there already.
    public var cachedTokens: Int

    public init(promptTokens: Int, completionTokens: Int, cachedTokens: Int = 0) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.cachedTokens = cachedTokens
    }
}

extension DoorUsage {
    /// Of several choices together.
    static func + (one: DoorUsage, other: DoorUsage) -> DoorUsage {
        DoorUsage(
            promptTokens: one.promptTokens + other.promptTokens,
            completionTokens: one.completionTokens + other.completionTokens,
            cachedTokens: one.cachedTokens + other.cachedTokens)
    }
}

/// One station's stamps for one request, in nanoseconds on the ingest's monotonic clock.
public struct DoorHop: Equatable, Sendable {
    public var station: String
    /// Which way, and for which token.
    public var phase: String
    public var receivedAt: UInt64
    public var begunAt: UInt64
    public var sentAt: UInt64
    /// Half-width of the clock-offset estimate, in microseconds.
    public var uncertainty: UInt64

    public init(
        station: String, phase: String, receivedAt: UInt64, begunAt: UInt64, sentAt: UInt64, uncertainty: UInt64 = 0
    ) {
        self.station = station
        self.phase = phase
        self.receivedAt = receivedAt
        self.begunAt = begunAt
        self.sentAt = sentAt
        self.uncertainty = uncertainty
    }
}

/// A request that could not be answered, or not to its end.
public struct DoorFailure: Error, Equatable, Sendable {
    /// What went wrong; decides the HTTP status.
    public enum Kind: Sendable {
        /// A parameter or the form, 400.
        case invalidRequest
        /// Prompt and limits do not fit the context, 400 `context_length_exceeded`.
        case contextLengthExceeded
        /// 401.
        case unauthenticated
        /// 404 `model_not_found`.
        case unknownModel
        /// The key is good, but not for this, 403.
        case forbidden
        /// A request of this idempotency key is in the works or done already, 409; the message says what became of it.
        case conflict
        /// The idempotency key was used with another body, 422.
        case keyMismatch
        /// Admission is full, 429 with `Retry-After`.
        case busy
        /// The key's or the tenant's bound by the minute is reached, 429 with `Retry-After`.
        case rateLimited
        /// The client's time was over before the answer was complete, 504.
        case deadlineExceeded
        /// Nobody is there to do it, or the station stops, 503.
        case unavailable
        /// 500.
        case internalError
    }

    public var kind: Kind
    /// A sentence for the client.
    public var message: String
    /// The parameter at fault, by its name in the body.
    public var parameter: String?
    /// After which time to try again, for `busy` and `unavailable`.
    public var retryAfterMilliseconds: UInt64

    public init(_ kind: Kind, _ message: String, parameter: String? = nil, retryAfterMilliseconds: UInt64 = 1000) {
        self.kind = kind
        self.message = message
        self.parameter = parameter
        self.retryAfterMilliseconds = retryAfterMilliseconds
    }
}
