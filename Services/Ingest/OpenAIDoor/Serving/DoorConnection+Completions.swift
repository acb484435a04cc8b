import NIOCore
import Telemetry

/// Completion requests of a connection: what is asked goes to the backend, what comes back goes to the client.
extension DoorConnection {
    /// A body of this size is read on another thread: on this one it would hold up everybody's events.
    private static var largeBody: Int { 64 << 10 }

    func complete(_ exchange: Exchange, _ form: RequestReader.Form, _ client: RequestGate.Client) {
        exchange.startedAt = .now()
        let bytes = exchange.body.map { Array($0.readableBytesView) } ?? []
        exchange.body = nil
        let reader = RequestReader(form: form, maximumTokens: server.configuration.maximumTokens)
        guard bytes.count > Self.largeBody else {
            return submit(exchange, reader.result(of: bytes), form, client)
        }
        let loop = server.loop
        let bound = NIOLoopBound((self, exchange), eventLoop: loop)
        Task {
            let result = reader.result(of: bytes)
            loop.execute {
                let (connection, exchange) = bound.value
                connection.submit(exchange, result, form, client)
            }
        }
    }

    private func submit(
        _ exchange: Exchange, _ result: Result<RequestReader.Body, APIError>, _ form: RequestReader.Form,
        _ client: RequestGate.Client
    ) {
        // The client may have left meanwhile.
        guard self.exchange === exchange else { return }
        var body: RequestReader.Body
        switch result {
        case .failure(let error): return refuse(exchange, error)
        case .success(let found): body = found
        }
        body.request.id = exchange.id
        body.request.clientChoseID = exchange.clientChoseID
        body.request.tenant = client.tenant
        body.request.grant = client.grant
        if exchange.wantsHops { body.request.wantsHops = true }
        exchange.streams = body.request.streams
        exchange.writer = AnswerWriter(
            form: form,
            identity: AnswerWriter.Identity(
                id: exchange.id, created: server.date.seconds, model: body.request.model,
                fingerprint: server.configuration.fingerprint),
            streams: body.request.streams, includesUsage: body.includesUsage, wantsHops: body.request.wantsHops)
        let stream = server.makeStream(for: self)
        exchange.stream = stream
        server.metrics.openRequests.add(1)
        server.backend.submit(body.request, to: stream)
    }

    /// Writes what has come, unless the socket still has to take what came before: all text that is ready goes into one
    /// event and one write, and while the socket takes it, more may gather.
    func look(at stream: DoorStream) {
        guard let exchange, exchange.stream === stream else { return }
        if stream.isAbandoned { return abort() }
        guard !exchange.isWriting, case .batch(let hasMore) = stream.take(&server.batch) else { return }
        if !exchange.hasBegun, !server.batch.text.isEmpty || server.batch.end != nil {
            exchange.hasBegun = true
            server.metrics.timeToFirstToken.observe(nanoseconds: elapsed(exchange))
        }
        // Until the first text is written an error can still be told by the status.
        if case .failed(let failure)? = server.batch.end, !exchange.hasHead {
            release(stream, exchange)
            exchange.stream = nil
            return refuse(exchange, APIError(failure))
        }
        if exchange.streams { writeEvents(exchange, stream) } else { gather(exchange, stream) }
        guard self.exchange === exchange else { return }
        if exchange.isWriting {
            stream.setBlocked(true)
        } else if hasMore {
            server.outbox.list(stream)
        }
    }

    private func writeEvents(_ exchange: Exchange, _ stream: DoorStream) {
        let sent = Sent(
            tokens: server.batch.tokens, isLast: server.batch.end != nil, isAwaited: server.batch.isAwaited)
        server.payload.clear()
        if !server.batch.text.isEmpty || (sent.isLast && exchange.writer?.hasRest == true) {
            exchange.writer?.writeText(server.batch.text, isLast: sent.isLast, to: &server.payload)
        }
        switch server.batch.end {
        case .finished(let finish)?: exchange.writer?.writeFinish(finish, to: &server.payload)
        case .failed(let failure)?: exchange.writer?.writeFailure(failure, to: &server.payload)
        case nil: break
        }
        guard server.payload.readableBytes > 0 else { return accepted(exchange, stream, sent) }
        if exchange.isOld { exchange.closes = true }
        let head = exchange.hasHead ? nil : head(exchange, id: exchange.id)
        exchange.hasHead = true
        let payload = server.payload
        let buffer = server.write { buffer in
            head?.writeEventStream(exchange.isOld ? .end : .chunks, to: &buffer)
            if exchange.isOld {
                buffer.writeImmutableBuffer(payload)
            } else {
                buffer.writeChunk(payload)
                if sent.isLast { buffer.writeStaticString("0\r\n\r\n") }
            }
        }
        send(exchange, buffer, sent)
    }

    /// Keeps the text until the end, and writes the whole answer in one piece.
    private func gather(_ exchange: Exchange, _ stream: DoorStream) {
        exchange.text.append(contentsOf: server.batch.text)
        exchange.tokens += server.batch.tokens
        // Nothing goes out before the end: there is nothing to wait for.
        if server.batch.isAwaited { server.backend.accepted(stream) }
        guard case .finished(let finish)? = server.batch.end else { return }
        server.payload.clear()
        exchange.writer?.writeAnswer(exchange.text, finish, to: &server.payload)
        let head = head(exchange, id: exchange.id)
        let payload = server.payload
        let buffer = server.write { buffer in
            head.writeCompletion(length: payload.readableBytes, to: &buffer)
            buffer.writeImmutableBuffer(payload)
        }
        send(exchange, buffer, Sent(tokens: exchange.tokens, isLast: true))
    }

    /// The socket has taken a write.
    func accepted(_ exchange: Exchange, _ stream: DoorStream, _ sent: Sent) {
        stream.deliver(sent.tokens)
        if sent.isLast {
            release(stream, exchange)
            server.metrics.count(exchange.route.label, status: 200)
            return endExchange()
        }
        if sent.isAwaited { server.backend.accepted(stream) }
        if stream.setBlocked(false) { look(at: stream) }
    }
}
