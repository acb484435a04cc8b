import HTTPTypes
import Hummingbird
import NIOCore

/// Reads a request's body up to a limit.
struct BodyCollector {
    /// Bytes that are read and dropped so that a client which sends too much gets to read the answer; beyond that the
    /// connection is closed.
    static let patience = 64 << 20

    let limit: Int

    /// The body, or nil if it is larger than the limit; then it has been read all the same, up to our patience.
    func collect(_ request: Request) async throws -> [UInt8]? {
        if Self.isEndless(request), Self.contentLength(request) != nil { return nil }
        var bytes: [UInt8] = []
        var total = 0
        for try await part in request.body {
            total += part.readableBytes
            if total <= limit {
                bytes.append(contentsOf: part.readableBytesView)
            } else {
                bytes = []
                if total > Self.patience { break }
            }
        }
        return total <= limit ? bytes : nil
    }

    /// Reads a body that nobody wants, so that the client is done sending when it gets the answer.
    static func drop(_ request: Request) async throws {
        guard !isEndless(request) else { return }
        for try await _ in request.body {}
    }

    /// Whether what is left of the body is too much to read and drop.
    static func isEndless(_ request: Request) -> Bool {
        if let length = contentLength(request) { return length > patience }
        return request.headers[.transferEncoding] != nil
    }

    private static func contentLength(_ request: Request) -> Int? {
        request.headers[.contentLength].flatMap { Int($0) }
    }
}
