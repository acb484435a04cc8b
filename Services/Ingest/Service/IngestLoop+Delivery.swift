import Line
import Logging
import OpenAIDoor
import Station
import Telemetry
import Transport
import Wire

/// Text on its way to clients, and the end of requests.
extension IngestLoop {
    /// Gives a row that does not end its request to the client.
    func deliver(_ request: IngestRequest, _ tokens: ArraySlice<UInt32>, _ text: ArraySlice<UInt8>) {
        switch request.client {
        case .door where !request.streams:
            request.withheld += text
        case .door(let outlet, let handle):
            guard outlet.isOpen else { return }
            put(request, on: outlet, handle: handle, tokens: tokens, text: text, finish: .none)
            request.deliveredTokens += UInt32(tokens.count)
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
        memory.end(request.requestID, tenant: request.tenant)
        // Nothing below may go on for it; a lease that has ended already is unknown there.
        _ = tokenizers.dispatcher.cancel(work)
        var hops = hops
        if request.body.wantsHops, !hops.isEmpty {
            hops += request.stamps.records(
                handle: 0, station: .ingest, lastReceived: receivedAt, lastBegun: receivedAt, lastSent: 0)
        }
        switch request.client {
        case .door(let outlet, let handle):
            outlet.works[handle] = nil
            guard outlet.isOpen else { break }
            let sent = request.streams ? tokens : ArraySlice(request.generated)
            let whole = request.streams ? text : ArraySlice(request.withheld + text)
            put(
                request, on: outlet, handle: handle, tokens: sent,
                text: finish == .failed ? ArraySlice(Array(message.utf8)) : whole, finish: finish, status: status,
                hops: hops)
            request.deliveredTokens += UInt32(sent.count)
        case .http(let stream):
            httpWorks[stream.number] = nil
            if stream.isCancelled {
                request.deliveredTokens = UInt32(clamping: stream.deliveredTokens)
                break
            }
            request.deliveredTokens = UInt32(clamping: request.generated.count)
            httpEnds.append(
                HTTPEnd(
                    stream: stream, request: request, finish: finish, status: status, message: message,
                    text: text, tokenCount: tokens.count, hops: hops))
        }
        counters.delivered += UInt64(request.deliveredTokens)
        counters.undelivered += UInt64(request.generated.count) - min(
            UInt64(request.deliveredTokens), UInt64(request.generated.count))
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

    private func put(
        _ request: IngestRequest, on outlet: ClientOutlet, handle: UInt32, tokens: ArraySlice<UInt32>,
        text: ArraySlice<UInt8>, finish: FinishReason, status: Status = .ok, hops: [HopRecord] = []
    ) {
        let isEdge = finish != .none || request.generated.count == tokens.count
        outlet.batch.rows.append(
            TextRow(
                handle: handle, tokenCount: UInt16(clamping: tokens.count), finish: finish, status: status,
                position: UInt32(clamping: request.generated.count - tokens.count), textLength: UInt32(text.count),
                promptTokens: isEdge ? request.promptTokens : 0, cachedTokens: isEdge ? request.cachedTokens : 0))
        outlet.batch.tokens += tokens.prefix(Int(UInt16.max))
        outlet.batch.text += text
        for hop in hops {
            var own = hop
            own.handle = handle
            outlet.batch.hops.append(own)
        }
        if request.stamps.firstSent == 0, !tokens.isEmpty { outlet.firsts.append(request) }
        list(outlet)
    }
}
