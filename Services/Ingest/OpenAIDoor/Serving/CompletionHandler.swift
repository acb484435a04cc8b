import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOHTTPTypes
import Synchronization
import Telemetry

/// Answers completion requests: reads them, gives them to the backend, writes what comes back.
struct CompletionHandler<Backend: CompletionBackend>: Sendable {
    let configuration: DoorConfiguration
    let backend: Backend
    let metrics: DoorMetrics
    let streamNumbers = StreamNumbers()

    /// Numbers streams from 1.
    final class StreamNumbers: Sendable {
        private let last = Atomic<UInt64>(0)

        func next() -> UInt64 {
            last.wrappingAdd(1, ordering: .relaxed).newValue
        }
    }

    /// The client has closed its connection: nobody reads an answer.
    private static var clientLeft: APIError {
        APIError(status: 499, message: "The client has left.", code: "client_left")
    }

    /// What the writing of one answer needs.
    private struct Work: Sendable {
        var lease: StreamLease
        var channel: any Channel
        var route: Route
        var startedAt: ContinuousClock.Instant
    }

    func respond(
        to request: Request, form: RequestReader.Form, id: DoorRequestID, tenant: String, route: Route,
        context: DoorContext
    ) async throws -> Response {
        guard let bytes = try await BodyCollector(limit: configuration.bodyLimit).collect(request) else {
            let message = "The body is larger than \(configuration.bodyLimit) bytes."
            throw APIError(status: 413, message: message, code: "request_too_large")
        }
        let startedAt = ContinuousClock.now
        var body = try await read(bytes, form)
        body.request.id = id
        body.request.clientChoseID = request.headers[DoorHeader.requestID]?.isEmpty == false
        body.request.tenant = tenant
        if request.headers[DoorHeader.hops] == "1" { body.request.wantsHops = true }

        let watch = try await context.channel.pipeline.handler(type: ConnectionWatch.self).get()
        let (backend, metrics) = (backend, metrics)
        let stream = DoorStream(number: streamNumbers.next()) { stream in
            metrics.clientsLeft.increment()
            backend.cancel(stream)
        }
        guard watch.watch(stream) else { throw Self.clientLeft }
        metrics.openRequests.add(1)
        let lease = StreamLease(stream: stream, watch: watch) { stream in
            metrics.openRequests.add(-1)
            metrics.deliveredTokens.increment(by: UInt64(stream.deliveredTokens))
            metrics.duration.observe(ContinuousClock.now - startedAt)
            backend.ended(stream)
        }
        backend.submit(body.request, to: stream)
        let work = Work(lease: lease, channel: context.channel, route: route, startedAt: startedAt)
        return try await withTaskCancellationHandler {
            try await answer(body, form: form, work: work)
        } onCancel: {
            stream.cancel()
        }
    }

    /// Large bodies are read on another thread: on this one they would hold up everybody's events.
    private func read(_ bytes: [UInt8], _ form: RequestReader.Form) async throws(APIError) -> RequestReader.Body {
        let reader = RequestReader(form: form, maximumTokens: configuration.maximumTokens)
        guard bytes.count > Self.largeBody else { return try reader.read(bytes) }
        let result = await withTaskExecutorPreference(globalConcurrentExecutor) {
            do throws(APIError) {
                return Result<RequestReader.Body, APIError>.success(try reader.read(bytes))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static var largeBody: Int { 64 << 10 }

    /// Waits for the first text or the end, since until then an error can still be told by the status.
    private func answer(_ body: RequestReader.Body, form: RequestReader.Form, work: Work) async throws -> Response {
        let first = await work.lease.stream.next()
        if !first.isCancelled, !first.text.isEmpty || first.end != nil {
            metrics.timeToFirstToken.observe(ContinuousClock.now - work.startedAt)
        }
        let identity = AnswerWriter.Identity(
            id: body.request.id, created: configuration.now(), model: body.request.model,
            fingerprint: configuration.fingerprint)
        let writer = AnswerWriter(
            form: form, identity: identity, streams: body.request.streams, includesUsage: body.includesUsage,
            wantsHops: body.request.wantsHops)
        var headers: HTTPFields = [DoorHeader.requestID: body.request.id.description, .cacheControl: "no-cache"]
        guard body.request.streams, first.end?.isFailure != true else {
            return try await whole(first, writer, headers, work)
        }
        try check(first, work)
        headers[.contentType] = "text/event-stream; charset=utf-8"
        headers[DoorHeader.accelBuffering] = "no"
        return Response(
            status: .ok, headers: headers,
            body: .init { output in
                defer { work.lease.end() }
                try await withTaskCancellationHandler {
                    try await pump(first, writer, work)
                } onCancel: {
                    work.lease.stream.cancel()
                }
                try await output.finish(nil)
                metrics.count(work.route.label, status: 200)
            })
    }

    private func check(_ batch: DoorStream.Batch, _ work: Work) throws(APIError) {
        guard batch.isCancelled else { return }
        work.lease.end()
        throw Self.clientLeft
    }

    /// Writes events until the end: all text that is ready goes into one event and one write, and while the socket
    /// takes it, more may gather.
    private func pump(_ first: DoorStream.Batch, _ writer: AnswerWriter, _ work: Work) async throws {
        var writer = writer
        var batch = first
        var buffer = ByteBuffer()
        while true {
            try check(batch, work)
            buffer.clear()
            let isLast = batch.end != nil
            if !batch.text.isEmpty || (isLast && writer.hasRest) {
                writer.writeText(batch.text, isLast: isLast, to: &buffer)
            }
            switch batch.end {
            case .finished(let finish)?: writer.writeFinish(finish, to: &buffer)
            case .failed(let failure)?: writer.writeFailure(failure, to: &buffer)
            case nil: break
            }
            do {
                try await work.channel.writeAndFlush(HTTPResponsePart.body(buffer))
            } catch {
                work.lease.stream.cancel()
                throw error
            }
            metrics.writes.increment()
            work.lease.stream.deliver(batch.tokens)
            if isLast { return }
            batch = await work.lease.stream.next(reusing: batch)
        }
    }

    /// Gathers the whole answer and writes it in one piece.
    private func whole(
        _ first: DoorStream.Batch, _ writer: AnswerWriter, _ headers: HTTPFields, _ work: Work
    ) async throws -> Response {
        var text: [UInt8] = []
        var tokens = 0
        var batch = first
        while true {
            try check(batch, work)
            text.append(contentsOf: batch.text)
            tokens += batch.tokens
            if batch.end != nil { break }
            batch = await work.lease.stream.next(reusing: batch)
        }
        let finish: DoorFinish
        switch batch.end {
        case .finished(let found)?: finish = found
        case .failed(let failure)?:
            work.lease.end()
            throw APIError(failure)
        case nil:
            throw APIError(DoorFailure(.internalError, "The answer has no end."))
        }
        var writer = writer
        var buffer = ByteBuffer()
        writer.writeAnswer(text, finish, to: &buffer)
        var headers = headers
        headers[.contentType] = "application/json"
        let (answer, delivered) = (buffer, tokens)
        return Response(
            status: .ok, headers: headers,
            body: .init(contentLength: answer.readableBytes) { output in
                defer { work.lease.end() }
                try await work.channel.writeAndFlush(HTTPResponsePart.body(answer))
                metrics.writes.increment()
                work.lease.stream.deliver(delivered)
                try await output.finish(nil)
                metrics.count(work.route.label, status: 200)
            })
    }
}

extension DoorEnd {
    var isFailure: Bool {
        if case .failed = self { true } else { false }
    }
}
