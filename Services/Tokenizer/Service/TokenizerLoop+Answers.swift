import Line
import Spool
import Station
import Telemetry
import Tokenization
import Transport
import Wire

/// Rows on their way up.
extension TokenizerLoop {
    /// Makes text of a row's tokens and puts it into the tray of whoever asked.
    func deliver(
        _ row: TokenRow, _ tokens: ArraySlice<UInt32>, _ hops: [HopRecord], key: UInt64, clock: ClockOffset,
        now: UInt64
    ) {
        text.removeAll(keepingCapacity: true)
        var finish = row.finish
        var taken = tokens.count
        var isFirst = false
        var failure: AnswerError?
        streams.update(key) { stream in
            isFirst = !stream.hasFirstRow
            if isFirst {
                stream.hasFirstRow = true
                if stream.generated.isEmpty { stream.cachedTokens = row.cachedTokens }
                if stream.stamps.firstReceived == 0 {
                    stream.stamps.firstReceived = now
                    stream.stamps.firstBegun = now
                }
            }
            do throws(AnswerError) {
                let progress = try stream.answer.push(tokens.span, table: table, into: &text)
                taken = progress.tokensTaken
                if progress.isStopped { finish = .stop }
                if finish != .none { stream.answer.finish(into: &text) }
            } catch {
                failure = error
            }
            stream.receivedInAttempt += UInt32(tokens.count)
            stream.generated += tokens.prefix(taken)
        }
        if let failure {
            return fail(key, .engineFailed, "The engine made a token that the vocabulary lacks: \(failure)")
        }
        put(
            key, tokens: tokens.prefix(taken), finish: finish, status: row.status, hops: finish == .none ? [] : hops,
            below: row.handle, clock: clock, receivedAt: now)
        guard finish != .none else { return }
        if row.finish == .none {
            // A stop string that the worker does not know of.
            streams.update(key) { $0.state = .answered }
            cancelBelow(key)
        } else {
            streams.remove(key)
        }
    }

    /// Ends a stream upward without another token, with what text was held back.
    func answer(_ key: UInt64, finish: FinishReason, status: Status = .ok) {
        text.removeAll(keepingCapacity: true)
        streams.update(key) { $0.answer.finish(into: &text) }
        if finish == .handedBack { text.removeAll(keepingCapacity: true) }
        put(
            key, tokens: [], finish: finish, status: status, hops: [], below: 0, clock: ClockOffset(),
            receivedAt: MonotonicClock.now())
        streams.update(key) { $0.state = .answered }
        if finish != .handedBack { cancelBelow(key) }
    }

    /// Ends a stream upward with an error, and below.
    func fail(_ key: UInt64, _ status: Status, _ message: String) {
        counters.failures += 1
        text.removeAll(keepingCapacity: true)
        text += Array(message.utf8)
        put(
            key, tokens: [], finish: .failed, status: status, hops: [], below: 0, clock: ClockOffset(),
            receivedAt: MonotonicClock.now())
        streams.update(key) { $0.state = .answered }
        cancelBelow(key)
    }

    private func put(
        _ key: UInt64, tokens: ArraySlice<UInt32>, finish: FinishReason, status: Status, hops: [HopRecord],
        below: UInt32, clock: ClockOffset, receivedAt: UInt64
    ) {
        guard let stream = streams[key], let origin = ingests.side.origin(of: stream.upperWork),
            let tray = trays[origin.link], tray.session == origin.session
        else { return }
        let isEdge = finish != .none || stream.generated.count == tokens.count
        let row = TextRow(
            handle: origin.handle, tokenCount: UInt16(clamping: tokens.count), finish: finish, status: status,
            position: UInt32(clamping: stream.generated.count - tokens.count), textLength: UInt32(text.count),
            promptTokens: isEdge ? UInt32(stream.prompt.count) : 0, cachedTokens: isEdge ? stream.cachedTokens : 0)
        tray.makeRoom(tokens: tokens.count, bytes: text.count)
        tray.batch.rows.append(row)
        tray.batch.tokens += tokens
        tray.batch.text += text
        if stream.stamps.firstSent == 0, !tokens.isEmpty { tray.firsts.append(stream) }
        guard finish != .none else { return }
        streamByUpperWork[stream.upperWork] = nil
        tray.ended.append(stream.upperWork)
        guard stream.wantsHops else { return }
        for hop in hops where hop.handle == below {
            var own = hop
            own.handle = origin.handle
            own.receivedAt = clock.own(hop.receivedAt)
            own.begunAt = clock.own(hop.begunAt)
            own.sentAt = clock.own(hop.sentAt)
            own.uncertainty = UInt16(clamping: UInt64(hop.uncertainty) + (clock.uncertainty ?? 0) / 1000)
            tray.batch.hops.append(own)
        }
        tray.batch.hops += stream.stamps.records(
            handle: origin.handle, station: .tokenizer, lastReceived: receivedAt, lastBegun: receivedAt, lastSent: 0)
    }
}
