import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import Transport
import Wire

/// The OpenAI-compatible door: every request streams over HTTP.
public final class HTTPDoor: LoadDoor {
    private let base: String
    private let key: String?
    private let client: HTTPClient

    /// - Parameters:
    ///   - base: for instance `http://127.0.0.1:8080`, with or without `/v1`.
    ///   - connections: the most at once.
    ///   - timeout: seconds of silence after which a request is given up.
    public init(base: String, key: String?, connections: Int, timeout: Double) {
        var base = base
        while base.hasSuffix("/") { base.removeLast() }
        self.base = base.hasSuffix("/v1") ? String(base.dropLast(3)) : base
        self.key = key
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(10)
        configuration.timeout.read = .nanoseconds(Int64(timeout * 1e9))
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = max(1, connections)
        configuration.connectionPool.idleTimeout = .seconds(30)
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    public func servedModel() async throws(LoadError) -> String {
        struct Models: Decodable {
            struct Model: Decodable { var id: String }
            var data: [Model]
        }
        let models: Models
        do {
            var request = HTTPClientRequest(url: base + "/v1/models")
            if let key { request.headers.add(name: "Authorization", value: "Bearer \(key)") }
            let response = try await client.execute(request, timeout: .seconds(10))
            let body = try await response.body.collect(upTo: 1 << 20)
            guard response.status == .ok else { throw StatusError(response.status, body) }
            models = try JSONCoding.decoder.decode(Models.self, from: Data(body.readableBytesView))
        } catch {
            throw .unreachable(door: base, reason: "\(error)")
        }
        guard let first = models.data.first else { throw .noModel(door: base) }
        return first.id
    }

    public func perform(_ request: LoadRequest) async -> LoadOutcome {
        var outcome = LoadOutcome(index: request.index, id: request.id)
        do {
            let message = try message(request)
            outcome.sentAt = MonotonicClock.now()
            let response = try await client.execute(message, deadline: .distantFuture)
            guard response.status == .ok else {
                throw StatusError(response.status, try await response.body.collect(upTo: 1 << 20))
            }
            try await read(response.body, request, into: &outcome)
        } catch {
            outcome.error = outcome.error ?? Self.reason(error)
        }
        outcome.endedAt = max(outcome.endedAt, MonotonicClock.now())
        return outcome
    }

    public func close() async {
        // Only what still runs could fail here, and nothing does.
        try? await client.shutdown()
    }

    private func read(
        _ body: HTTPClientResponse.Body, _ request: LoadRequest, into outcome: inout LoadOutcome
    ) async throws {
        var parser = EventStreamParser()
        var isDone = false
        for try await buffer in body {
            let now = MonotonicClock.now()
            parser.push(buffer.readableBytesView) { data in
                if data.elementsEqual(EventStreamParser.done) {
                    isDone = true
                    outcome.endedAt = now
                    return
                }
                guard let chunk = CompletionChunk(data, keepsText: request.keepsText) else {
                    outcome.error = "a chunk is not JSON"
                    return
                }
                if chunk.hasText { outcome.delivered(at: now) }
                if request.keepsText { outcome.text += chunk.text }
                outcome.finish = chunk.finish ?? outcome.finish
                if let tokens = chunk.tokens {
                    outcome.tokens = tokens
                    outcome.promptTokens = chunk.promptTokens ?? 0
                    outcome.cachedTokens = chunk.cachedTokens
                }
                outcome.error = chunk.error ?? outcome.error
                if !chunk.hops.isEmpty { outcome.hops = chunk.hops }
            }
        }
        if outcome.error == nil, !isDone { outcome.error = "the stream ended before [DONE]" }
    }

    private func message(_ request: LoadRequest) throws -> HTTPClientRequest {
        var body = Body(request)
        let path: String
        switch request.prompt {
        case .chat(let text):
            body.messages = [Body.Message(role: "user", content: text)]
            path = "/v1/chat/completions"
        case .tokens(let tokens):
            body.prompt = tokens
            path = "/v1/completions"
        }
        var message = HTTPClientRequest(url: base + path)
        message.method = .POST
        message.headers.add(name: "Content-Type", value: "application/json")
        message.headers.add(name: "X-Request-ID", value: request.id.description)
        if let key { message.headers.add(name: "Authorization", value: "Bearer \(key)") }
        message.body = .bytes(ByteBuffer(bytes: try JSONCoding.encoder.encode(body)))
        return message
    }

    private static func reason(_ error: any Error) -> String {
        (error as? StatusError)?.description ?? "\(error)"
    }

    private struct Body: Encodable {
        struct Message: Encodable {
            var role: String
            var content: String
        }
        struct StreamOptions: Encodable { var includeUsage = true }
        var model: String
        var messages: [Message]?
        var prompt: [UInt32]?
        var stream = true
        var streamOptions = StreamOptions()
        var maxTokens: Int
        var temperature: Double?
        var seed: Int64
        var ignoreEos: Bool?
        var hops: Bool?

        init(_ request: LoadRequest) {
            model = request.model
            maxTokens = request.maximumTokens
            temperature = request.temperature
            seed = Int64(truncatingIfNeeded: request.seed >> 1)
            ignoreEos = request.ignoresEndOfSequence ? true : nil
            hops = request.wantsHops ? true : nil
        }
    }

    private struct StatusError: Error, CustomStringConvertible {
        var description: String

        init(_ status: HTTPResponseStatus, _ body: ByteBuffer) {
            let bytes = Array(body.readableBytesView)
            let message = CompletionChunk(bytes[...], keepsText: true)?.error
            description = "HTTP \(status.code): \(message ?? String(decoding: bytes.prefix(200), as: UTF8.self))"
        }
    }
}
