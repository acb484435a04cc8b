import Line
import Logging
import Spool
import Station
import Tables
import Telemetry
import Tokenization
import Transport
import Wire

/// Requests on their way to workers, and rows from there.
extension TokenizerLoop {
    func dispatch(_ key: UInt64, to session: SessionRef, handle: UInt32) {
        guard let stream = streams[key] else { return }
        let now = MonotonicClock.now()
        guard now < stream.deadline else {
            workers.dispatcher.notSent(handle, in: session)
            return failOverdue(key, stream)
        }
        generateFrame.handle = handle
        generateFrame.requestID = stream.requestID
        generateFrame.ingestAttempt = stream.ingestAttempt
        generateFrame.tokenizerAttempt = stream.attempt
        generateFrame.generatedCount = UInt32(stream.generated.count)
        generateFrame.sampling = stream.sampling
        generateFrame.limits = stream.limits
        generateFrame.options = stream.options
        generateFrame.options.timeLeft = stream.deadline == .max ? 0 : stream.deadline - now
        generateFrame.wantsHops = stream.wantsHops
        generateFrame.tenant = stream.tenant
        generateFrame.model = stream.model
        generateFrame.tokens.removeAll(keepingCapacity: true)
        generateFrame.tokens += stream.prompt
        generateFrame.tokens += stream.generated
        generateFrame.digest = TokenDigest.of(generateFrame.tokens)
        do throws(WireError) {
            try generateFrame.encode(
                into: &frame, session: session.session, version: workers.dispatcher.version(of: session))
        } catch {
            log.error("tokenizer: request does not fit a frame", metadata: ["error": "\(error)"])
            workers.dispatcher.notSent(handle, in: session)
            return fail(key, stream, .promptTooLong, "The prompt is too long for the line.")
        }
        workers.send(&frame, to: session)
        stream.digest = generateFrame.digest
        stream.hasFirstRow = false
        stream.receivedInAttempt = 0
        stream.stamps.downSent = MonotonicClock.now()
    }

    func drainWorkers() {
        do {
            try workers.drain { header, bytes, session, now throws(WireError) in
                guard header.kind == .tokenBatch else {
                    throw WireError(.unexpectedKind, offset: 3)
                }
                try tokenBatch.decode(bytes, header: header)
                guard workers.dispatcher.trayTaken(tokenBatch.tray, in: session) else { return }
                take(tokenBatch, from: session, now: now)
            }
        } catch {
            log.error("tokenizer: cannot receive from workers", metadata: ["error": "\(error)"])
        }
    }

    private func take(_ batch: borrowing TokenBatch, from session: SessionRef, now: UInt64) {
        var cursor = HopCursor()
        var offset = 0
        for row in batch.rows {
            let end = offset + Int(row.tokenCount)
            take(row, batch.tokens[offset..<end], batch.hops, &cursor, from: session, now: now)
            offset = end
        }
    }

    private func take(
        _ row: TokenRow, _ tokens: ArraySlice<UInt32>, _ hops: [HopRecord], _ cursor: inout HopCursor,
        from session: SessionRef, now: UInt64
    ) {
        guard let key = workers.dispatcher.lease(of: row.handle, in: session) else { return }
        counters.tokens += UInt64(tokens.count)
        guard let stream = streams[key] else {
            if row.finish != .none { workers.dispatcher.finished(row.handle, in: session) }
            return
        }
        if row.finish == .handedBack {
            workers.dispatcher.handedBack(row.handle, in: session)
            return
        }
        if stream.isAnswered {
            if row.finish != .none {
                workers.dispatcher.finished(row.handle, in: session)
                streams.remove(key)
            }
            return
        }
        if !stream.hasFirstRow, row.finish != .failed, row.finish != .cancelled, row.digest != stream.digest {
            counters.digestMismatches += 1
            log.error(
                "tokenizer: a worker answered another prompt", metadata: ["request": "\(stream.requestID)"])
            fail(key, stream, .digestMismatch, "The answer did not belong to the prompt.")
            if row.finish == .none {
                _ = workers.dispatcher.cancel(key)
            } else {
                workers.dispatcher.finished(row.handle, in: session)
                streams.remove(key)
            }
            return
        }
        guard Int(row.position) == stream.generated.count || tokens.isEmpty else {
            counters.misplacedRows += 1
            // Its lease stands until here: with the session it is lost, and the request goes to another worker.
            return workers.dispatcher.violated(by: session.peer)
        }
        let bounds = RowBounds(
            vocabularySize: table.count, given: stream.prompt.count + stream.generated.count,
            remaining: stream.remaining)
        guard bounds.admit(tokens.span, cachedTokens: row.cachedTokens) else {
            counters.unboundedRows += 1
            log.error(
                "tokenizer: a worker sent what was not asked for",
                metadata: [
                    "request": "\(stream.requestID)", "tokens": "\(tokens.count)", "remaining": "\(bounds.remaining)",
                    "cached": "\(row.cachedTokens)", "given": "\(bounds.given)",
                ])
            return workers.dispatcher.violated(by: session.peer)
        }
        if row.finish != .none { workers.dispatcher.finished(row.handle, in: session) }
        guard row.finish != .failed else {
            return fail(
                key, stream, row.status == .ok ? .engineFailed : row.status, text(of: row.status, stream, from: session)
            )
        }
        deliver(row, tokens, hops, &cursor, stream, key: key, from: session, now: now)
    }

    private func text(of status: Status, _ stream: AnswerStream, from session: SessionRef) -> String {
        switch status {
        case .promptTooLong:
            Self.overflow(
                context: Int(workerPeers[session.peer]?.contextLength ?? 0), tokens: stream.prompt.count)
        case .deadlineExceeded: Self.overdue
        case .busy: "The worker is full."
        case .invalidRequest: "The prompt is empty, or has a token that the model does not know."
        default: "The engine failed."
        }
    }

    func lost(_ key: UInt64, by worker: PeerInfo?, _ reason: LossReason) {
        guard let stream = streams[key] else { return }
        if case .sessionEnded = reason {
            counters.lostAttempts += 1
            ledger.record(
                LedgerEvent(
                    kind: .lostAttempt, requestID: stream.requestID, ingestAttempt: stream.ingestAttempt,
                    tokenizerAttempt: stream.attempt, producerRole: .tokenizer, producer: worker?.epoch ?? 0,
                    outcome: .lost,
                    promptTokens: UInt32(stream.prompt.count), cachedTokens: stream.cachedTokens,
                    producedTokens: stream.receivedInAttempt, wallTime: WallClock.now(), tenant: stream.tenant,
                    model: stream.model, worker: worker?.name ?? ""))
        }
        if stream.isAnswered {
            streams.remove(key)
            return
        }
        guard stream.attempt < Self.maximumAttempts else {
            return fail(key, stream, .unavailable, "Worker after worker was lost with this request.")
        }
        stream.attempt += 1
        generate(key, atFront: true)
    }

    private static let maximumAttempts: UInt16 = 4

    /// Ends the worker's part of a stream that needs no more of it.
    func cancelBelow(_ key: UInt64) {
        switch workers.dispatcher.cancel(key) {
        case .removed, .unknown: streams.remove(key)
        case .passedOn: break
        }
    }
}
