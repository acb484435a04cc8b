import NIOHTTP1

/// What a client says of its request by header fields.
struct RequestLabels: Equatable, Sendable {
    /// What it calls it; echoed as sent.
    var label = ""
    var idempotencyKey = ""
    /// How long it waits; 0 for as long as it takes.
    var timeoutNanoseconds: UInt64 = 0

    private static let labelBytes = 256
    private static let keyBytes = 255
    private static let timeouts: ClosedRange<UInt64> = 1...86_400_000

    init() {}

    init(_ headers: HTTPHeaders) throws(APIError) {
        if let text = headers.first(name: "x-request-id") {
            guard Self.isPrintable(text), text.utf8.count <= Self.labelBytes else {
                throw .invalid("X-Request-Id", "X-Request-Id must be at most 256 bytes of printable ASCII.")
            }
            label = text
        }
        if let text = headers.first(name: "idempotency-key") {
            guard Self.isPrintable(text), (1...Self.keyBytes).contains(text.utf8.count) else {
                throw .invalid("Idempotency-Key", "Idempotency-Key must be 1 to 255 bytes of printable ASCII.")
            }
            idempotencyKey = text
        }
        if let text = headers.first(name: "x-request-timeout-ms") {
            guard let milliseconds = UInt64(text), Self.timeouts.contains(milliseconds) else {
                throw .invalid(
                    "x-request-timeout-ms", "x-request-timeout-ms must be a whole number from 1 to 86400000.")
            }
            timeoutNanoseconds = milliseconds * 1_000_000
        }
    }

    private static func isPrintable(_ text: String) -> Bool {
        text.utf8.allSatisfy { (0x20...0x7e).contains($0) }
    }
}
