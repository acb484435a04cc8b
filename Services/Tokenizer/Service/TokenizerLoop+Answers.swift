import Line
import Spool
import Station
import Tables
import Telemetry
import Tokenization
import Transport
import Wire

/// Rows on their way up.
extension TokenizerLoop {
    /// Makes text of a row's tokens, which goes to whoever asked.
    func deliver(
        _ row: TokenRow, _ tokens: ArraySlice<UInt32>, _ hops: [HopRecord], _ cursor: inout HopCursor,
        _ stream: AnswerStream, key: UInt64, from session: SessionRef, now: UInt64
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
                key, stream, .engineFailed, "The engine made a token that the vocabulary lacks: \(error)")
        }
        if progress.isStopped { finish = .stop }
        stream.receivedInAttempt += UInt32(tokens.count)
        stream.generated += tokens.prefix(progress.tokensTaken)
        guard finish != .none else { return stream.tray.list(stream) }
        stream.answer.finish(into: &stream.pendingText)
        var end = AnswerEnd(finish: finish, status: row.status, receivedAt: now)
        if stream.wantsHops {
            let clock = workers.dispatcher.clock(of: session)
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
    func answer(_ key: UInt64, _ stream: AnswerStream, finish: FinishReason, status: Status = .ok) {
        if finish != .handedBack { stream.answer.finish(into: &stream.pendingText) }
        conclude(stream, AnswerEnd(finish: finish, status: status, receivedAt: MonotonicClock.now()))
        if finish != .handedBack { cancelBelow(key) }
    }

    /// Ends a stream upward with an error, and below.
    func fail(_ key: UInt64, _ stream: AnswerStream, _ status: Status, _ message: String) {
        counters.failures += 1
        conclude(
            stream,
            AnswerEnd(finish: .failed, status: status, message: message, receivedAt: MonotonicClock.now()))
        cancelBelow(key)
    }

    /// Ends a stream whose time is over.
    func failOverdue(_ key: UInt64, _ stream: AnswerStream) {
        counters.overdue += 1
        if case .encoding(let ticket?) = stream.state { pool.cancel(ticket) }
        fail(key, stream, .deadlineExceeded, Self.overdue)
    }

    static let overdue = "The request's time is over before its answer was complete."

    private func conclude(_ stream: AnswerStream, _ end: AnswerEnd) {
        streamByUpperWork[stream.work] = nil
        stream.end(end)
        stream.tray.list(stream)
    }

    func flushTrays() {
        for tray in trays.values { ingests.flush(tray, through: &textBatch, frame: &frame) }
    }
}
