import AsyncHTTPClient
import Foundation
import Glibc
import NIOCore
import NIOHTTP1
import Synchronization
import Transport
import Wire

/// An OpenAI-compatible door, of this service or of any other: every request streams over HTTP.
public final class HTTPDoor: LoadDoor {
    /// What servers differ in.
    public struct Options: Sendable {
        /// Where the API begins.
        public var basePath = "/v1"
        /// Sent with every request.
        public var headers: [(name: String, value: String)] = []
        /// Seconds of silence after which a request is given up.
        public var timeout = 300.0
        /// Most connections at once.
        public var connections = 1

        public init() {}
    }

    private let base: String
    private let options: Options
    private let key: String?
    private let client: HTTPClient
    /// Whether any answer has come: before that, no connection is a kept one.
    private let hasAnswered = Atomic(false)

    /// - Parameters:
    ///   - base: for instance `http://127.0.0.1:8080`, with or without `/v1`.
    ///   - connections: the most at once.
    ///   - timeout: seconds of silence after which a request is given up.
    public convenience init(base: String, key: String?, connections: Int, timeout: Double) {
        var options = Options()
        options.connections = connections
        options.timeout = timeout
        self.init(base: base, key: key, options)
    }

    /// - Parameter base: for instance `http://127.0.0.1:8080`, with or without the base path.
    public init(base: String, key: String?, _ options: Options) {
        var path = options.basePath
        while path.hasSuffix("/") { path.removeLast() }
        if !path.isEmpty, !path.hasPrefix("/") { path = "/" + path }
        var base = base
        while base.hasSuffix("/") { base.removeLast() }
        self.base = base.hasSuffix(path) ? base : base + path
        self.key = key
        self.options = options
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(10)
        configuration.timeout.read = .nanoseconds(Int64(options.timeout * 1e9))
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = max(1, options.connections)
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
            var request = HTTPClientRequest(url: base + "/models")
            addHeaders(&request)
            let response = try await client.execute(request, timeout: .seconds(10))
            let body = try await response.body.collect(upTo: 1 << 20)
            hasAnswered.store(true, ordering: .relaxed)
            guard response.status == .ok else { throw StatusError(response.status, body) }
            models = try JSONCoding.decoder.decode(Models.self, from: Data(body.readableBytesView))
        } catch {
            throw .unreachable(door: base, reason: "\(error)")
        }
        guard let first = models.data.first else { throw .noModel(door: base) }
        return first.id
    }

    public func begin(_ request: LoadRequest, ended: @escaping LoadEnded) {
        Task { ended(await perform(request)) }
    }

    private func perform(_ request: LoadRequest) async -> LoadOutcome {
        var outcome = LoadOutcome(request)
        do {
            let message = message(request)
            outcome.sentAt = MonotonicClock.now()
            let response = try await send(message, redials: &outcome.redials)
            guard response.status == .ok else {
                outcome.isBusy = response.status == .tooManyRequests
                throw StatusError(response.status, try await response.body.collect(upTo: 1 << 20))
            }
            try await read(response.body, request, into: &outcome)
        } catch {
            outcome.error = outcome.error ?? Self.reason(error)
        }
        if outcome.sentAt == 0 { outcome.sentAt = MonotonicClock.now() }
        if outcome.endedAt == 0 { outcome.endedAt = MonotonicClock.now() }
        return outcome
    }

    /// Sends a request, again where a server has ended the connection that was kept for it: it may do so whenever it
    /// likes, and a client learns of it by its next request (RFC 9112, 9.3.1). Each of the kept ones may have ended.
    private func send(_ message: HTTPClientRequest, redials: inout Int) async throws -> HTTPClientResponse {
        let most = max(3, min(options.connections + 1, 64))
        while true {
            do {
                let response = try await client.execute(message, deadline: .distantFuture)
                hasAnswered.store(true, ordering: .relaxed)
                return response
            } catch  where redials < most && hasAnswered.load(ordering: .relaxed) && Self.isEndOfConnection(error) {
                redials += 1
            }
        }
    }

    /// Whether the other side had closed the connection, as far as this one can tell before any byte of an answer.
    static func isEndOfConnection(_ error: any Error) -> Bool {
        switch error {
        case let error as HTTPClientError: error == .remoteConnectionClosed
        case let error as ChannelError: error == .ioOnClosedChannel || error == .alreadyClosed || error == .eof
        case let error as IOError: error.errnoCode == ECONNRESET || error.errnoCode == EPIPE
        default: false
        }
    }

    public func close() async {
        // Only what still runs could fail here, and nothing does.
        try? await client.shutdown()
    }

    private func read(
        _ body: HTTPClientResponse.Body, _ request: LoadRequest, into outcome: inout LoadOutcome
    ) async throws {
        var parser = EventStreamParser()
        var reading = Reading(outcome: outcome, keepsText: request.keepsText)
        defer { outcome = reading.outcome }
        for try await buffer in body {
            let now = MonotonicClock.now()
            parser.push(buffer.readableBytesView) { reading.take($0, at: now) }
            if let limit = request.cancelAfter, reading.count >= limit, !reading.isDone, reading.outcome.finish == nil {
                reading.outcome.isCancelled = true
                reading.outcome.endedAt = MonotonicClock.now()
                reading.finish()
                // Leaving the body closes the connection, which is how HTTP cancels.
                return
            }
        }
        reading.finish()
        if reading.outcome.error == nil, !reading.isDone { reading.outcome.error = "the stream ended before [DONE]" }
    }

    /// An answer as its events come.
    struct Reading {
        var outcome: LoadOutcome
        let keepsText: Bool
        var isDone = false
        private var usage: Int?
        /// Events with text.
        private(set) var deliveries = 0

        init(outcome: LoadOutcome, keepsText: Bool) {
            self.outcome = outcome
            self.keepsText = keepsText
        }

        /// Tokens so far, as far as is known.
        var count: Int { usage ?? deliveries }

        mutating func take(_ data: ArraySlice<UInt8>, at now: UInt64) {
            if data.elementsEqual(EventStreamParser.done) {
                isDone = true
                outcome.endedAt = now
                return
            }
            guard let chunk = CompletionChunk(data, keepsText: keepsText) else {
                outcome.error = "a chunk is not JSON"
                return
            }
            if chunk.hasText {
                outcome.delivered(at: now)
                deliveries += 1
            }
            if keepsText { outcome.text += chunk.text }
            outcome.finish = chunk.finish ?? outcome.finish
            if let tokens = chunk.tokens {
                usage = tokens
                outcome.promptTokens = chunk.promptTokens ?? 0
                outcome.cachedTokens = chunk.cachedTokens
            }
            outcome.error = chunk.error ?? outcome.error
            if !chunk.hops.isEmpty { outcome.hops = chunk.hops }
        }

        /// Sets the number of tokens: the server's, or else that of the events, which may have had several.
        mutating func finish() {
            outcome.hasUsage = usage != nil
            outcome.tokens = count
            // An event may bring several tokens, but not fewer than one.
            if let usage, deliveries > usage {
                outcome.mismatch = "\(deliveries) events had text, usage says \(usage) tokens"
            }
        }
    }

    private func message(_ request: LoadRequest) -> HTTPClientRequest {
        let path = if case .chat = request.prompt { "/chat/completions" } else { "/completions" }
        var message = HTTPClientRequest(url: base + path)
        message.method = .POST
        message.headers.add(name: "Content-Type", value: "application/json")
        message.headers.add(name: "X-Request-ID", value: request.id.description)
        if request.hasKey { message.headers.add(name: "Idempotency-Key", value: request.idempotencyKey) }
        addHeaders(&message)
        message.body = .bytes(ByteBuffer(bytes: CompletionBody(request).bytes))
        return message
    }

    private func addHeaders(_ request: inout HTTPClientRequest) {
        if let key { request.headers.add(name: "Authorization", value: "Bearer \(key)") }
        for (name, value) in options.headers { request.headers.replaceOrAdd(name: name, value: value) }
    }

    private static func reason(_ error: any Error) -> String {
        (error as? StatusError)?.description ?? "\(error)"
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
