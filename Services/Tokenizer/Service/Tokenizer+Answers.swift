import Line
import Tables
import Telemetry
import Tokenization
import Wire

/// What workers have made, on its way up as text; and how requests end.
extension Tokenizer {
    /// Takes the rows of a worker's tray to their requests.
    mutating func takeRows(of batch: borrowing TokenBatch, from session: SessionRef, now: LinkTime) {
        var cursor = HopCursor()
        var offset = 0
        for row in batch.rows {
            let end = offset + Int(row.tokenCount)
            takeRow(row, batch.tokens[offset..<end], batch.hops, &cursor, from: session, now: now)
            offset = end
        }
    }

    private mutating func takeRow(
        _ row: TokenRow, _ tokens: ArraySlice<UInt32>, _ hops: [HopRecord], _ cursor: inout HopCursor,
        from session: SessionRef, now: UInt64
    ) {
        guard let key = workers.lease(of: row.handle, in: session) else { return }
        counters.tokens += UInt64(tokens.count)
        guard let stream = streams[key] else {
            if row.finish != .none { workers.finished(row.handle, in: session) }
            return
        }
        if row.finish == .handedBack {
            workers.handedBack(row.handle, in: session)
            return
        }
        if stream.isAnswered {
            if row.finish != .none {
                workers.finished(row.handle, in: session)
                streams.remove(key)
            }
            return
        }
        if !stream.hasFirstRow, row.finish != .failed, row.finish != .cancelled, row.digest != stream.digest {
            counters.digestMismatches += 1
            outbox.log(.error, "tokenizer: a worker answered another prompt", ["request": "\(stream.requestID)"])
            fail(key, stream, .digestMismatch, "The answer did not belong to the prompt.", now)
            if row.finish == .none {
                _ = workers.cancel(key)
            } else {
                workers.finished(row.handle, in: session)
                streams.remove(key)
            }
            return
        }
        guard Int(row.position) == stream.generated.count || tokens.isEmpty else {
            counters.misplacedRows += 1
            // Its lease stands until here: with the session it is lost, and the request goes to another worker.
            return workers.violated(by: session.peer)
        }
        let bounds = RowBounds(
            vocabularySize: table.count, given: stream.prompt.count + stream.generated.count,
            remaining: stream.remaining)
        guard bounds.admit(tokens.span, cachedTokens: row.cachedTokens) else {
            counters.unboundedRows += 1
            outbox.log(
                .error, "tokenizer: a worker sent what was not asked for",
                [
                    "request": "\(stream.requestID)", "tokens": "\(tokens.count)", "remaining": "\(bounds.remaining)",
                    "cached": "\(row.cachedTokens)", "given": "\(bounds.given)",
                ])
            return workers.violated(by: session.peer)
        }
        if row.finish != .none { workers.finished(row.handle, in: session) }
        guard row.finish != .failed else {
            return fail(
                key, stream, row.status == .ok ? .engineFailed : row.status,
                text(of: row.status, stream, from: session), now)
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

    /// Makes text of a row's tokens, which goes to whoever asked.
    private mutating func deliver(
        _ row: TokenRow, _ tokens: ArraySlice<UInt32>, _ hops: [HopRecord], _ cursor: inout HopCursor,
        _ stream: AnswerStream, key: UInt64, from session: SessionRef, now: LinkTime
    ) {
        if !stream.hasFirstRow {
            stream.hasFirstRow = true
            if stream.generated.isEmpty { stream.cachedTokens = row.cachedTokens }
            if stream.stamps.firstReceived == 0 {
                stream.stamps.firstReceived = now
                stream.stamps.firstBegun = now
            }
        }
        var finish = row.finish
        let progress: AnswerAssembler.Progress
        do throws(AnswerError) {
            progress = try stream.answer.push(tokens.span, table: table, into: &stream.pendingText)
        } catch {
            return fail(
                key, stream, .engineFailed, "The engine made a token that the vocabulary lacks: \(error)", now)
        }
        if progress.isStopped { finish = .stop }
        stream.receivedInAttempt += UInt32(tokens.count)
        stream.generated += tokens.prefix(progress.tokensTaken)
        guard finish != .none else { return stream.tray.list(stream) }
        stream.answer.finish(into: &stream.pendingText)
        var end = AnswerEnd(finish: finish, status: row.status, receivedAt: now)
        if stream.wantsHops {
            let clock = workers.clock(of: session)
            end.hops = cursor.records(of: row.handle, in: hops).map { hop in
                var own = hop.told(by: clock)
                own.handle = stream.handle
                return own
            }
        }
        conclude(stream, end)
        // Otherwise by a stop string that the worker does not know of.
        if row.finish == .none { cancelBelow(key) } else { streams.remove(key) }
    }

    /// Ends a stream upward without another token, with what text was held back.
    mutating func end(
        _ key: UInt64, _ stream: AnswerStream, _ finish: FinishReason, status: Status = .ok, _ now: LinkTime
    ) {
        if finish != .handedBack { stream.answer.finish(into: &stream.pendingText) }
        conclude(stream, AnswerEnd(finish: finish, status: status, receivedAt: now))
        if finish != .handedBack { cancelBelow(key) }
    }

    /// Ends a stream upward with an error, and below.
    mutating func fail(
        _ key: UInt64, _ stream: AnswerStream, _ status: Status, _ message: String, _ now: LinkTime
    ) {
        counters.failures += 1
        conclude(
            stream,
            AnswerEnd(finish: .failed, status: status, message: message, receivedAt: now))
        cancelBelow(key)
    }

    /// Ends a stream whose time is over.
    mutating func failOverdue(_ key: UInt64, _ stream: AnswerStream, _ now: LinkTime) {
        counters.overdue += 1
        if case .encoding = stream.state { outbox.command(.takeBack(key: key)) }
        fail(key, stream, .deadlineExceeded, Self.overdue, now)
    }

    static var overdue: String {
        "The request's time is over before its answer was complete."
    }

    private mutating func conclude(_ stream: AnswerStream, _ end: AnswerEnd) {
        streamByUpperWork[stream.work] = nil
        stream.end(end)
        stream.tray.list(stream)
    }

    // MARK: Cancels

    mutating func cancel(_ work: UInt64, _ now: LinkTime) {
        guard let key = streamByUpperWork[work], let stream = streams[key] else { return }
        counters.cancels += 1
        stream.isCancelled = true
        if case .encoding = stream.state {
            outbox.command(.takeBack(key: key))
            end(key, stream, .cancelled, now)
            streams.remove(key)
            return
        }
        if workers.cancel(key) == .removed {
            end(key, stream, .cancelled, now)
            streams.remove(key)
        }
    }

    /// The session of this work has ended: nobody waits for it any more.
    mutating func abandon(_ work: UInt64) {
        ingests.ended(work)
        guard let key = streamByUpperWork[work], let stream = streams[key] else { return }
        streamByUpperWork[work] = nil
        if case .encoding = stream.state {
            outbox.command(.takeBack(key: key))
            streams.remove(key)
            return
        }
        stream.state = .answered
        cancelBelow(key)
    }
}
