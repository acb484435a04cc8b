import AdminDoor
import Logging
import ServiceLifecycle
import Telemetry

@testable import OpenAIDoor

/// A door on an ephemeral port, for the time of one test.
struct TestDoor {
    let port: Int
    let metrics: MetricsRegistry

    static let id = "0123456789abcdef0123456789abcdef"

    static func with(
        _ backend: ScriptedBackend, configure: (inout DoorConfiguration) -> Void = { _ in },
        _ body: (TestDoor) async throws -> Void
    ) async throws {
        var configuration = DoorConfiguration(address: DoorAddress(host: "127.0.0.1", port: 0))
        // On a busy machine two seconds pass before the first text.
        configuration.firstComment = .seconds(3600)
        configuration.now = { 1_700_000_000 }
        configuration.fingerprint = "fp_test"
        configuration.makeID = { DoorRequestID(high: 0x0123_4567_89ab_cdef, low: 0x0123_4567_89ab_cdef) }
        configure(&configuration)
        let (addresses, found) = AsyncStream<DoorAddress>.makeStream()
        let metrics = MetricsRegistry()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let door = OpenAIDoor(
            configuration, backend: backend, metrics: metrics, logger: logger, onBound: { found.yield($0) })
        let group = ServiceGroup(configuration: .init(services: [.init(service: door)], logger: logger))
        async let served: Void = group.run()
        var iterator = addresses.makeAsyncIterator()
        let port = await iterator.next()?.port ?? 0
        try await body(TestDoor(port: port, metrics: metrics))
        await group.triggerGracefulShutdown()
        try await served
    }

    static func head(
        _ method: String, _ path: String, headers: [String: String] = [:], length: Int? = nil
    ) -> String {
        var lines = ["\(method) \(path) HTTP/1.1", "Host: door"]
        if let length { lines.append("Content-Length: \(length)") }
        if method == "POST", headers["Content-Type"] == nil { lines.append("Content-Type: application/json") }
        lines += headers.sorted { $0.key < $1.key }.filter { !$0.value.isEmpty }.map { "\($0.key): \($0.value)" }
        return lines.joined(separator: "\r\n") + "\r\n\r\n"
    }

    /// One request on a connection of its own.
    func call(
        _ method: String, _ path: String, _ body: [UInt8] = [], headers: [String: String] = [:]
    ) async throws -> HTTPAnswer {
        let connection = try await RawConnection(port: port)
        var headers = headers
        headers["Connection"] = "close"
        let head = Self.head(method, path, headers: headers, length: body.isEmpty ? nil : body.count)
        try await connection.send(Array(head.utf8) + body)
        let answer = await connection.response()
        try? await connection.close()
        return answer ?? HTTPAnswer(status: 0, headers: [:], body: [])
    }

    func chat(_ body: String, headers: [String: String] = [:]) async throws -> HTTPAnswer {
        try await call("POST", "/v1/chat/completions", Array(body.utf8), headers: headers)
    }

    func complete(_ body: String, headers: [String: String] = [:]) async throws -> HTTPAnswer {
        try await call("POST", "/v1/completions", Array(body.utf8), headers: headers)
    }
}
