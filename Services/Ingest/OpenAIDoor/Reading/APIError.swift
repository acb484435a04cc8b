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
            self = .invalid(failure.parameter, failure.message, code: "context_length_exceeded")
        case .unauthenticated:
            self.init(status: 401, message: failure.message, code: "invalid_api_key")
        case .unknownModel:
            self.init(status: 404, message: failure.message, parameter: "model", code: "model_not_found")
        case .conflict:
            self.init(status: 409, message: failure.message, code: "request_id_conflict", shouldRetry: false)
        case .busy:
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
