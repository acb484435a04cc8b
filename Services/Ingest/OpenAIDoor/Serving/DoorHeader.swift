import HTTPTypes

/// Names of header fields that the HTTP library does not name.
enum DoorHeader {
    /// From the client: the id that it chose. To the client: the request's id.
    static let requestID = name("x-request-id")
    /// `1`: bring the hop records.
    static let hops = name("x-hops")
    /// `Retry-After` in milliseconds, for OpenAI's clients.
    static let retryAfterMilliseconds = name("retry-after-ms")
    /// Whether OpenAI's clients repeat the request by themselves.
    static let shouldRetry = name("x-should-retry")
    /// Tells nginx to pass events on as they come.
    static let accelBuffering = name("x-accel-buffering")

    private static func name(_ text: StaticString) -> HTTPField.Name {
        guard let name = HTTPField.Name(text.description) else { preconditionFailure("\(text) is no field name") }
        return name
    }
}
