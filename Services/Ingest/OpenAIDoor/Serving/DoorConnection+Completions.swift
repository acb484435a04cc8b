import NIOCore
import Telemetry

/// Completion requests of a connection: what is asked goes to the backend, what comes back goes to the client.
extension DoorConnection {
    /// A body of this size is read on another thread: on this one it would hold up everybody's events.
    private static var largeBody: Int { 64 << 10 }

    func complete(_ exchange: Exchange, _ form: RequestReader.Form, _ client: RequestGate.Client) {
        exchange.startedAt = .now()
        exchange.wroteAt = exchange.startedAt
        let bytes = exchange.body.map { Array($0.readableBytesView) } ?? []
        dropBody(exchange)
        let reader = RequestReader(
            form: form, maximumTokens: server.configuration.maximumTokens, isStrict: server.configuration.strictFields)
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
        if !body.ignored.isEmpty {
            exchange.ignored = body.ignored
            server.noteIgnored(body.ignored)
        }
        guard body.count == 1 || exchange.labels.idempotencyKey.isEmpty else {
            return refuse(
                exchange, .invalid("Idempotency-Key", "A request for several answers cannot have an Idempotency-Key."))
        }
        body.request.label = exchange.labels.label
        body.request.idempotencyKey = exchange.labels.idempotencyKey
        body.request.timeoutNanoseconds = exchange.labels.timeoutNanoseconds
        body.request.tenant = client.tenant
        if exchange.wantsHops { body.request.wantsHops = true }
        exchange.streams = body.request.streams
        for index in 0..<body.count {
            let isHeld = body.count > 1 && !body.request.streams
            exchange.choices.append(
                Choice(
                    index: index, id: server.configuration.makeID(),
                    stream: server.makeStream(for: self, isHeld: isHeld)))
        }
        exchange.writer = AnswerWriter(
            form: form,
            identity: AnswerWriter.Identity(
                id: exchange.choices[0].id, created: server.date.seconds, model: body.request.model,
                fingerprint: server.configuration.fingerprint),
            streams: body.request.streams, includesUsage: body.includesUsage,
            includesContinuousUsage: body.includesContinuousUsage, wantsHops: body.request.wantsHops,
            choices: body.count)
        server.metrics.openRequests.add(Double(body.count))
        for choice in exchange.choices {
            var request = body.request(choice.index)
            request.id = choice.id
            server.backend.submit(request, grant: client.grant, to: choice.stream)
        }
    }

    /// Writes what has come, unless the socket still has to take what came before: all text that is ready goes into one
    /// event and one write, and while the socket takes it, more may gather.
    func look(at stream: DoorStream) {
        guard let exchange, let choice = exchange.choice(of: stream) else { return }
        if stream.isAbandoned { return abort() }
        guard !exchange.isWriting, case .batch(let hasMore) = stream.take(&server.batch) else { return }
        if !choice.hasBegun, !server.batch.text.isEmpty || server.batch.end != nil {
            choice.hasBegun = true
            server.metrics.timeToFirstToken.observe(nanoseconds: elapsed(exchange))
        }
        // Until the first text is written an error can still be told by the status.
        if case .failed(let failure)? = server.batch.end, !exchange.hasHead {
            giveUpChoices(exchange)
            return refuse(exchange, APIError(failure))
        }
        if exchange.streams { writeEvents(exchange, choice) } else { gather(exchange, choice) }
        if self.exchange === exchange, !exchange.isWriting, hasMore { server.outbox.list(stream) }
    }

    private func writeEvents(_ exchange: Exchange, _ choice: Choice) {
        var sent = Sent(choice: choice, tokens: server.batch.tokens, isAwaited: server.batch.isAwaited)
        let end = server.batch.end
        choice.tokens += server.batch.tokens
        // The first text may come with the end: what is told of the prompt there holds for it, too.
        if case .finished(let finish)? = end {
            choice.stream.note(promptTokens: finish.usage.promptTokens, cachedTokens: finish.usage.cachedTokens)
        }
        server.payload.clear()
        if !server.batch.text.isEmpty || (end != nil && exchange.writer?.hasRest(of: choice.index) == true) {
            exchange.writer?.writeText(
                server.batch.text, isLast: end != nil, choice: choice.index,
                usage: choice.stream.usage(completionTokens: choice.tokens), to: &server.payload)
        }
        switch end {
        case .finished(let finish)?:
            choice.finish = finish
            sent.isEnd = true
            sent.isLast = exchange.choices.allSatisfy { $0.finish != nil }
            exchange.writer?.writeFinish(
                finish, choice: choice.index, total: sent.isLast ? total(exchange) : nil, to: &server.payload)
        case .failed(let failure)?:
            sent.isEnd = true
            sent.isLast = true
            exchange.writer?.writeFailure(failure, to: &server.payload)
            // One that fails ends them all.
            for other in exchange.choices where other !== choice && other.finish == nil { giveUp(other, exchange) }
        case nil: break
        }
        guard server.payload.readableBytes > 0 else { return accepted(exchange, sent) }
        writePayload(exchange, sent)
    }

    /// Writes the payload as the next part of a stream of events, with the head if it is the first.
    private func writePayload(_ exchange: Exchange, _ sent: Sent) {
        if exchange.isOld { exchange.closes = true }
        let head = exchange.hasHead ? nil : head(exchange)
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

    /// Lets a client that waits for events know that they will come: clients, and proxies between, give up on a
    /// connection that is silent.
    func keepAlive(_ exchange: Exchange, _ now: NIODeadline) {
        guard exchange.streams, !exchange.isWriting, !exchange.choices.isEmpty else { return }
        let configuration = server.configuration
        let patience = exchange.hasHead ? configuration.laterComments : configuration.firstComment
        guard now - exchange.wroteAt >= TimeAmount(patience) else { return }
        server.payload.clear()
        AnswerWriter.writeComment(to: &server.payload)
        writePayload(exchange, Sent())
    }

    private func total(_ exchange: Exchange) -> DoorUsage {
        exchange.choices.reduce(DoorUsage(promptTokens: 0, completionTokens: 0)) { sum, choice in
            choice.finish.map { sum + $0.usage } ?? sum
        }
    }

    /// Keeps the text until the end, and writes the whole answer in one piece.
    private func gather(_ exchange: Exchange, _ choice: Choice) {
        choice.text.append(contentsOf: server.batch.text)
        choice.tokens += server.batch.tokens
        if server.batch.isAwaited { choice.isAwaited = true }
        if case .finished(let finish)? = server.batch.end { choice.finish = finish }
        // Nothing goes out before the end: there is nothing to wait for but the other choices. What counts as delivered
        // before they are all there would stay so when one of them fails.
        if exchange.choices.allSatisfy({ $0.isAwaited || $0.finish != nil }) {
            for choice in exchange.choices where choice.isAwaited && choice.finish == nil {
                choice.isAwaited = false
                server.backend.accepted(choice.stream)
            }
        }
        var answers: [(text: [UInt8], finish: DoorFinish)] = []
        for choice in exchange.choices {
            guard let finish = choice.finish else { return }
            answers.append((choice.text, finish))
        }
        server.payload.clear()
        exchange.writer?.writeAnswer(answers, usage: total(exchange), to: &server.payload)
        let head = head(exchange)
        let payload = server.payload
        let buffer = server.write { buffer in
            head.writeCompletion(length: payload.readableBytes, to: &buffer)
            buffer.writeImmutableBuffer(payload)
        }
        send(exchange, buffer, Sent(isLast: true))
    }

    /// The socket has taken a write.
    func accepted(_ exchange: Exchange, _ sent: Sent) {
        if let choice = sent.choice {
            choice.stream.deliver(sent.tokens)
            if sent.isEnd { release(choice, exchange) }
        }
        if sent.isLast {
            for choice in exchange.choices where !choice.isReleased {
                choice.stream.deliver(choice.tokens)
                release(choice, exchange)
            }
            server.metrics.count(exchange.route.label, status: 200)
            return endExchange()
        }
        if sent.isAwaited, let choice = sent.choice { server.backend.accepted(choice.stream) }
        resume(exchange, after: sent.choice)
    }

    /// Looks at the streams that had to wait for the socket, beginning with the one after the last written.
    private func resume(_ exchange: Exchange, after last: Choice?) {
        var wasBlocked = false
        for choice in exchange.choices where choice.stream.setBlocked(false) { wasBlocked = true }
        guard wasBlocked else { return }
        let count = exchange.choices.count
        let first = (last?.index ?? -1) + 1
        for offset in 0..<count {
            guard self.exchange === exchange, !exchange.isWriting, exchange.choices.count == count else { return }
            look(at: exchange.choices[(first + offset) % count].stream)
        }
    }

    /// Ends all that is in the works for a request.
    func giveUpChoices(_ exchange: Exchange) {
        guard !exchange.choices.isEmpty else { return }
        exchange.operations = exchange.choices.map(\.id.description).joined(separator: ", ")
        for choice in exchange.choices { giveUp(choice, exchange) }
        exchange.choices = []
    }

    private func giveUp(_ choice: Choice, _ exchange: Exchange) {
        guard !choice.isReleased else { return }
        choice.stream.cancel()
        release(choice, exchange)
    }

    /// The door is done with a stream.
    private func release(_ choice: Choice, _ exchange: Exchange) {
        guard !choice.isReleased else { return }
        choice.isReleased = true
        server.forget(choice.stream)
        server.metrics.openRequests.add(-1)
        server.metrics.deliveredTokens.increment(by: UInt64(choice.stream.deliveredTokens))
        server.metrics.duration.observe(nanoseconds: elapsed(exchange))
    }
}
