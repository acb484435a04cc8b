import Line
import Logging
import OpenAIDoor
import Station
import Telemetry
import Transport
import Wire

/// Text on its way to clients, and the end of requests.
extension IngestLoop {
    /// Gives what a row brought to the client, unless it ends the request.
    func deliver(_ request: IngestRequest, _ tokens: ArraySlice<UInt32>, _ text: ArraySlice<UInt8>) {
        switch request.client {
        case .door(let outlet, _):
            request.pendingText += text
            guard request.streams, outlet.tray.isOpen else { return }
            request.deliveredTokens += UInt32(tokens.count)
            outlet.tray.list(request)
            list(outlet)
        case .http(let stream):
            stream.push(text, tokenCount: tokens.count)
            if request.stamps.firstSent == 0 { request.stamps.firstSent = MonotonicClock.now() }
        }
    }

    /// Ends a request: its last row to the client, its end to the ledger.
    /// - Parameters:
    ///   - message: Why it failed, for the client.
    ///   - tokens: The last row's tokens, already part of `request.generated`.
    func conclude(
        _ work: UInt64, finish: FinishReason, status: Status, message: String = "", tokens: ArraySlice<UInt32> = [],
        text: ArraySlice<UInt8> = [], hops: [HopRecord] = [], receivedAt: UInt64 = MonotonicClock.now()
    ) {
        guard let request = requests.remove(work) else { return }
        heldBytes -= request.promptBytes
        memory.end(request.requestID, tenant: request.tenant)
        // Nothing below may go on for it; a lease that has ended already is unknown there.
        _ = tokenizers.dispatcher.cancel(work)
        let generated = UInt32(clamping: request.generated.count)
        switch request.client {
        case .door(let outlet, let handle):
            outlet.works[handle] = nil
            guard outlet.tray.isOpen else { break }
            if finish != .failed {
                request.pendingText += text
                request.deliveredTokens = generated
            }
            request.end(
                RequestEnd(finish: finish, status: status, message: message, hops: hops, receivedAt: receivedAt))
            outlet.tray.list(request)
            list(outlet)
        case .http(let stream):
            httpWorks[stream.number] = nil
            if stream.isCancelled {
                request.deliveredTokens = UInt32(clamping: stream.deliveredTokens)
                break
            }
            var hops = hops
            if request.body.wantsHops, !hops.isEmpty {
                hops += request.stamps.records(
                    handle: 0, station: .ingest, lastReceived: receivedAt, lastBegun: receivedAt, lastSent: 0)
            }
            return self.finish(
                HTTPEnd(
                    stream: stream, request: request, finish: finish, status: status, message: message,
                    text: text, tokenCount: tokens.count, hops: hops))
        }
        settle(request, finish, status, message)
    }

    /// States to the ledger how a request ended; what was delivered is known.
    func settle(_ request: IngestRequest, _ finish: FinishReason, _ status: Status, _ message: String) {
        let generated = UInt32(clamping: request.generated.count)
        counters.delivered += UInt64(request.deliveredTokens)
        counters.undelivered += UInt64(generated - min(request.deliveredTokens, generated))
        count(finish)
        var event = event(finish == .failed ? .void : .settle, request)
        event.outcome = finish
        event.status = status
        ledger.record(event)
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
            while outlet.tray.isOpen, outlet.fill(&outputBatch, sentAt: MonotonicClock.now()) {
                outputBatch.encode(kind: .output, into: &frame, session: outlet.session.session)
                if clients.send(&frame, to: outlet.session) != .sent { withdraw(outputBatch.rows, from: outlet) }
            }
        }
        dirty.removeAll(keepingCapacity: true)
    }

    /// These rows did not go out: their tokens were not delivered.
    private func withdraw(_ rows: [TextRow], from outlet: ClientOutlet) {
        for row in rows {
            guard let work = outlet.works[row.handle], let request = requests[work] else { continue }
            request.withdraw(UInt32(row.tokenCount))
        }
    }
}
