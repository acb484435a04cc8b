/// An error as OpenAI's clients understand it: a status and `{"error":{"message","type","param","code"}}`.
struct APIError: Error, Equatable, Sendable {
    var status: Int
    var message: String
    var type: String
    var parameter: String?
    var code: String?
    /// When to try again.
    var retryAfterMilliseconds: UInt64?
    /// False tells OpenAI's clients not to repeat the request by themselves, as they do for 409 and 5xx.
    var shouldRetry: Bool?

    init(
        status: Int, message: String, type: String = "invalid_request_error", parameter: String? = nil,
        code: String? = nil, retryAfterMilliseconds: UInt64? = nil, shouldRetry: Bool? = nil
    ) {
        self.status = status
        self.message = message
        self.type = type
        self.parameter = parameter
        self.code = code
        self.retryAfterMilliseconds = retryAfterMilliseconds
        self.shouldRetry = shouldRetry
    }
}

extension APIError {
    static func invalid(_ parameter: String?, _ message: String, code: String = "invalid_value") -> APIError {
        APIError(status: 400, message: message, parameter: parameter, code: code)
    }

    static func unsupported(_ parameter: String, _ message: String) -> APIError {
        APIError(status: 400, message: message, parameter: parameter, code: "unsupported_parameter")
    }

    init(_ failure: DoorFailure) {
        switch failure.kind {
        case .invalidRequest:
            self = .invalid(failure.parameter, failure.message)
        case .contextLengthExceeded:
            // Clients look for this phrase, or for the code in the message: whoever wrote the message, both are there.
            var message = failure.message
            if !message.lowercased().contains("maximum context length") {
                message = "The request exceeds this model's maximum context length. " + message
            }
            self = .invalid(failure.parameter, message + " (context_length_exceeded)", code: "context_length_exceeded")
        case .unauthenticated:
            self.init(status: 401, message: failure.message, code: "invalid_api_key")
        case .unknownModel:
            self.init(status: 404, message: failure.message, parameter: "model", code: "model_not_found")
        case .forbidden:
            self.init(
                status: 403, message: failure.message, type: "permission_error", code: "insufficient_permissions")
        case .conflict:
            self.init(status: 409, message: failure.message, code: "idempotency_key_in_use", shouldRetry: false)
        case .keyMismatch:
            self.init(status: 422, message: failure.message, code: "idempotency_key_mismatch", shouldRetry: false)
        case .deadlineExceeded:
            self.init(
                status: 504, message: failure.message, type: "server_error", code: "deadline_exceeded",
                shouldRetry: false)
        case .busy, .rateLimited:
            self.init(
                status: 429, message: failure.message, type: "rate_limit_error", code: "rate_limit_exceeded",
                retryAfterMilliseconds: failure.retryAfterMilliseconds)
        case .unavailable:
            self.init(
                status: 503, message: failure.message, type: "server_error", code: "service_unavailable",
                retryAfterMilliseconds: failure.retryAfterMilliseconds)
        case .internalError:
            self.init(status: 500, message: failure.message, type: "server_error", code: "internal_error")
        }
    }
}
