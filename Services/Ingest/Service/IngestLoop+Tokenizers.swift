import Keys
import Line
import Logging
import OpenAIDoor
import Spool
import Station
import Tables
import Telemetry
import Transport
import Wire

/// Requests on their way to tokenizers, and rows from there.
extension IngestLoop {
    func dispatch(_ work: UInt64, to session: SessionRef, handle: UInt32) {
        guard let request = requests[work] else { return }
        encodeFrame.handle = handle
        encodeFrame.requestID = request.requestID
        encodeFrame.ingestAttempt = request.attempt
        encodeFrame.deliveredBytes = request.textBytes
        encodeFrame.tenant = request.tenant
        encodeFrame.body = request.body
        encodeFrame.body.options.weight = UInt32(clamping: Int(request.grant?.weight ?? 1) * 1000)
        if request.deadline > 0 {
            let now = MonotonicClock.now()
            encodeFrame.body.options.timeLeft = request.deadline > now ? request.deadline - now : 1
        }
        encodeFrame.generated = request.generated
        do throws(WireError) {
            try encodeFrame.encode(
                into: &frame, session: session.session, version: tokenizers.dispatcher.version(of: session))
        } catch {
            tokenizers.dispatcher.notSent(handle, in: session)
            if error.reason == .unsupportedVersion {
                return conclude(
                    work, finish: .failed, status: .unavailable,
                    message: "The stations below are being upgraded and cannot do all that is asked; retry later.")
            }
            return conclude(
                work, finish: .failed, status: .promptTooLong, message: "The prompt is too long for the line.")
        }
        tokenizers.send(&frame, to: session)
        request.stamps.downSent = MonotonicClock.now()
        request.waitingSince = 0
    }

    func drainTokenizers() {
        do {
            try tokenizers.drain { header, bytes, session, now throws(WireError) in
                if header.kind == .tokenized {
                    return answered(try Tokenized(decoding: bytes, header: header), from: session)
                }
                guard header.kind == .textBatch else {
                    throw WireError(.unexpectedKind, offset: 3)
                }
                try textBatch.decode(bytes, header: header)
                guard tokenizers.dispatcher.trayTaken(textBatch.tray, in: session) else { return }
                take(textBatch, from: session, now: now)
            }
        } catch {
            log.error("ingest: cannot receive from tokenizers", metadata: ["error": "\(error)"])
        }
    }

    private func take(_ batch: borrowing TextBatch, from session: SessionRef, now: UInt64) {
        var cursor = HopCursor()
        var token = 0
        var byte = 0
        for row in batch.rows {
            let tokens = batch.tokens[token..<token + Int(row.tokenCount)]
            let text = batch.text[byte..<byte + Int(row.textLength)]
            token = tokens.endIndex
            byte = text.endIndex
            guard let work = tokenizers.dispatcher.lease(of: row.handle, in: session) else { continue }
            if row.finish == .handedBack {
                tokenizers.dispatcher.handedBack(row.handle, in: session)
                continue
            }
            guard let request = requests[work], !request.isEnding else {
                if row.finish != .none { tokenizers.dispatcher.finished(row.handle, in: session) }
                continue
            }
            take(row, tokens, text, batch.hops, &cursor, request, session, now: now)
        }
    }

    private func take(
        _ row: TextRow, _ tokens: ArraySlice<UInt32>, _ text: ArraySlice<UInt8>, _ hops: [HopRecord],
        _ cursor: inout HopCursor, _ request: IngestRequest, _ session: SessionRef, now: UInt64
    ) {
        let work = request.work
        if row.finish == .failed {
            tokenizers.dispatcher.finished(row.handle, in: session)
            return conclude(
                work, finish: .failed, status: row.status, message: String(decoding: text, as: UTF8.self))
        }
        guard Int(row.position) == request.generated.count, request.allows(row) else {
            counters.misplacedRows += 1
            // Its lease stands until here: with the session it is lost, and the request goes to another tokenizer.
            return tokenizers.dispatcher.violated(by: session.peer)
        }
        if row.finish != .none { tokenizers.dispatcher.finished(row.handle, in: session) }
        if row.promptTokens > 0 {
            chargeRest(of: request, promptTokens: row.promptTokens)
            request.promptTokens = row.promptTokens
            // A tokenizer that goes on with an answer does not know what was cached for its beginning.
            if request.generated.isEmpty || row.cachedTokens > 0 { request.cachedTokens = row.cachedTokens }
            request.place?.note(
                promptTokens: request.promptTokens, cachedTokens: request.cachedTokens)
        }
        if request.stamps.firstReceived == 0, !tokens.isEmpty {
            request.stamps.firstReceived = now
            request.stamps.firstBegun = now
        }
        request.generated += tokens
        request.receivedInAttempt += UInt32(tokens.count)
        request.textBytes += UInt64(text.count)
        if row.finish == .none {
            deliver(request, tokens, text)
        } else {
            var own: [HopRecord] = []
            if request.body.wantsHops {
                let clock = tokenizers.dispatcher.clock(of: session)
                own = cursor.records(of: row.handle, in: hops).map { $0.told(by: clock) }
            }
            conclude(work, finish: row.finish, status: .ok, tokens: tokens, text: text, hops: own, receivedAt: now)
        }
    }

    /// Corrects the estimate by which the tenant's turn came, now that the prompt's tokens are known.
    private func chargeRest(of request: IngestRequest, promptTokens: UInt32) {
        guard request.promptTokens == 0 else { return }
        let difference = Int(promptTokens) - request.estimatedPromptTokens
        tokenizers.dispatcher.charge(difference, to: request.share, model: request.body.model)
    }

    func lost(_ work: UInt64, by tokenizer: PeerInfo?, _ reason: LossReason) {
        guard let request = requests[work], !request.isEnding else { return }
        if case .sessionEnded = reason {
            var event = event(.lostAttempt, request)
            event.outcome = .lost
            event.producer = tokenizer?.epoch ?? 0
            event.producedTokens = request.receivedInAttempt
            ledger.record(event)
        }
        if request.isCancelled { return conclude(work, finish: .cancelled, status: .ok) }
        let limit = request.body.limits.maximumTokens
        if limit > 0, request.generated.count >= Int(limit) { return conclude(work, finish: .length, status: .ok) }
        guard request.redispatches < Self.maximumRedispatches else {
            return conclude(
                work, finish: .failed, status: .unavailable,
                message: "Tokenizer after tokenizer was lost with this request.")
        }
        request.redispatches += 1
        request.waitingSince = MonotonicClock.now()
        request.receivedInAttempt = 0
        counters.redispatched += 1
        let outcome = tokenizers.dispatcher.submit(
            work, model: request.body.model, share: request.share, atFront: true, now: MonotonicClock.now())
        if case .refused(let status) = outcome {
            conclude(work, finish: .failed, status: status, message: "No tokenizer takes the request.")
        }
    }

    private static let maximumRedispatches: UInt16 = 15

    /// Where this boot's attempts begin. A client may ask again, with the same id, another ingest or this one after a
    /// restart: what the same worker records of both must not have one name.
    var firstAttempt: UInt16 { UInt16(truncatingIfNeeded: epoch) & ~Self.maximumRedispatches }

    /// The client asks for the end of a request, or has left.
    func cancel(_ work: UInt64) {
        guard let request = requests[work] else { return }
        if request.isEnding {
            if case .door(let outlet, _) = request.client, !outlet.tray.isOpen { leave(request) }
            return
        }
        guard !request.isCancelled else { return }
        request.isCancelled = true
        switch tokenizers.dispatcher.cancel(work) {
        case .removed: conclude(work, finish: .cancelled, status: .ok)
        case .passedOn: break
        // Its lease has just ended as lost; the action that says so ends it.
        case .unknown: break
        }
    }
}
