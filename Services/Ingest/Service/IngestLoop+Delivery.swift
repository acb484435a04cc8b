import Line
import Logging
import OpenAIDoor
import Spool
import Station
import Tables
import Telemetry
import Transport
import Wire

/// Text on its way to clients, and the end of requests.
extension IngestLoop {
    /// Gives what a row brought to the client, unless it ends the request.
    func deliver(_ request: IngestRequest, _ tokens: ArraySlice<UInt32>, _ text: ArraySlice<UInt8>) {
        hold(4 * tokens.count + text.count, for: request)
        switch request.client {
        case .door(let outlet, _):
            request.pendingText += text
            guard request.streams, outlet.tray.isOpen else { return }
            outlet.tray.list(request)
            list(outlet)
        case .http(let stream):
            stream.note(promptTokens: Int(request.promptTokens), cachedTokens: Int(request.cachedTokens))
            // For the one who settles it if this process dies now: before the client can have it, since the process may
            // be stopped at any instruction. At its end it is counted anew.
            let delivered = stream.isBehind ? stream.deliveredTokens : request.generated.count
            if request.streams { request.place?.note(deliveredTokens: UInt32(clamping: delivered)) }
            stream.push(text, tokenCount: tokens.count)
            if request.stamps.firstSent == 0 { request.stamps.firstSent = MonotonicClock.now() }
        }
    }

    private func hold(_ bytes: Int, for request: IngestRequest) {
        request.heldBytes += bytes
        heldBytes += bytes
    }

    /// Ends a request: its last row to the client, its end to the ledger, as far as the client takes the answer.
    /// - Parameters:
    ///   - message: Why it failed, for the client.
    ///   - tokens: The last row's tokens, already part of `request.generated`.
    func conclude(
        _ work: UInt64, finish: FinishReason, status: Status, message: String = "", tokens: ArraySlice<UInt32> = [],
        text: ArraySlice<UInt8> = [], hops: [HopRecord] = [], receivedAt: UInt64 = MonotonicClock.now()
    ) {
        guard let request = requests[work], !request.isEnding else { return }
        // Nothing below may go on for it; a lease that has ended already is unknown there.
        _ = tokenizers.dispatcher.cancel(work)
        request.waitingSince = 0
        switch request.client {
        case .door(let outlet, _):
            if finish != .failed { request.pendingText += text }
            request.end(
                RequestEnd(finish: finish, status: status, message: message, hops: hops, receivedAt: receivedAt))
            guard outlet.tray.isOpen else { return leave(request) }
            // It ends with the frame that takes its last row.
            outlet.tray.list(request)
            list(outlet)
        case .http(let stream):
            release(request)
            httpWorks[stream.number] = nil
            if stream.isCancelled {
                request.deliveredTokens = UInt32(clamping: stream.deliveredTokens)
                return settle(request, finish, status, message)
            }
            var hops = hops
            if request.body.wantsHops, !hops.isEmpty {
                hops += request.stamps.records(
                    handle: 0, station: .ingest, lastReceived: receivedAt, lastBegun: receivedAt, lastSent: 0)
            }
            self.finish(
                HTTPEnd(
                    stream: stream, request: request, finish: finish, status: status, message: message,
                    text: text, tokenCount: tokens.count, hops: hops))
        }
    }

    /// Forgets a request: what became of it is settled by the caller.
    private func release(_ request: IngestRequest) {
        requests.remove(request.work)
        heldBytes -= request.heldBytes
        correctRate(of: request)
    }

    /// Ends a request of the ZeroMQ door whose client takes no more of it: what went out is delivered.
    func leave(_ request: IngestRequest) {
        guard case .door(let outlet, let handle) = request.client, let end = request.end else { return }
        release(request)
        outlet.works[handle] = nil
        settle(request, end.finish == .failed ? .failed : .cancelled, end.status, end.message)
    }

    /// States to the ledger how a request ended; what was delivered is known, and billed also of a request that failed.
    func settle(_ request: IngestRequest, _ finish: FinishReason, _ status: Status, _ message: String) {
        let generated = UInt32(clamping: request.generated.count)
        counters.delivered += UInt64(request.deliveredTokens)
        counters.undelivered += UInt64(generated - min(request.deliveredTokens, generated))
        count(finish)
        var event = event(finish == .failed && request.deliveredTokens == 0 ? .void : .settle, request)
        event.outcome = finish
        event.status = status
        ledger.record(event, ending: request.place)
        request.place = nil
        if finish == .failed {
            log.notice(
                "ingest: request failed",
                metadata: ["request": "\(request.requestID)", "status": "\(status)", "reason": "\(message)"])
        }
    }

    private func count(_ finish: FinishReason) {
        switch finish {
        case .failed: counters.failed += 1
        case .cancelled: counters.cancelled += 1
        default: counters.finished += 1
        }
    }

    func list(_ outlet: ClientOutlet) {
        guard !outlet.isDirty else { return }
        outlet.isDirty = true
        dirty.append(outlet)
    }

    func flushOutlets() {
        for outlet in dirty {
            outlet.isDirty = false
            while outlet.tray.isOpen, outlet.fill(&outputBatch, sentAt: MonotonicClock.now()) { send(to: outlet) }
        }
        dirty.removeAll(keepingCapacity: true)
    }

    /// Sends what was filled. The ends of requests stand in the spool before the frame that carries them goes out.
    private func send(to outlet: ClientOutlet) {
        for work in outlet.tray.endedWorks {
            guard let request = requests[work], let end = request.end else { continue }
            release(request)
            if case .door(_, let handle) = request.client { outlet.works[handle] = nil }
            settle(request, end.finish, end.status, end.message)
        }
        ledger.commit(log: log)
        outputBatch.encode(kind: .output, into: &frame, session: outlet.session.session, version: outlet.version)
        guard clients.send(&frame, to: outlet.session) == .sent else {
            return withdraw(outputBatch.rows, from: outlet)
        }
        outlet.window.sent(
            sequence: clients.dispatcher.lastSequence(in: outlet.session), tray: outputBatch.tray,
            bytes: frame.bytes.count)
    }

    /// These rows did not go out: their tokens were not delivered.
    private func withdraw(_ rows: [TextRow], from outlet: ClientOutlet) {
        for row in rows {
            guard let work = outlet.works[row.handle], let request = requests[work] else { continue }
            request.withdraw(UInt32(row.tokenCount))
        }
    }

    /// A client has shown that it reads: more may go out.
    func windowMoved(of outlet: ClientOutlet) {
        if !outlet.tray.isEmpty || !outlet.refusals.isEmpty { list(outlet) }
    }
}
