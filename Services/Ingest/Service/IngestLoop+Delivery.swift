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
        heldBytes -= request.promptBytes
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
            var sent = tokens
            var whole = text
            if finish == .failed {
                sent = []
                whole = ArraySlice(Array(message.utf8))
            } else if !request.streams {
                sent = ArraySlice(request.generated)
                whole = ArraySlice(request.withheld + text)
            }
            put(
                request, on: outlet, handle: handle, tokens: sent, text: whole, finish: finish, status: status,
                hops: hops)
            request.deliveredTokens += UInt32(sent.count)
        case .http(let stream):
            httpWorks[stream.number] = nil
            if stream.isCancelled {
                request.deliveredTokens = UInt32(clamping: stream.deliveredTokens)
                break
            }
            // A failure in place of a whole answer brings none of it.
            let isGiven = request.streams || finish != .failed
            request.deliveredTokens = isGiven ? UInt32(clamping: request.generated.count) : 0
            httpEnds.append(
                HTTPEnd(
                    stream: stream, request: request, finish: finish, status: status, message: message,
                    text: text, tokenCount: tokens.count, hops: hops))
        }
        counters.delivered += UInt64(request.deliveredTokens)
        counters.undelivered +=
            UInt64(request.generated.count)
            - min(
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

    /// Adds a row to the client's next frame; several rows when one cannot hold it all.
    private func put(
        _ request: IngestRequest, on outlet: ClientOutlet, handle: UInt32, tokens: ArraySlice<UInt32>,
        text: ArraySlice<UInt8>, finish: FinishReason, status: Status = .ok, hops: [HopRecord] = []
    ) {
        if request.stamps.firstSent == 0, !tokens.isEmpty { outlet.firsts.append(request) }
        var tokens = tokens
        var text = text
        while tokens.count > Self.rowTokens || text.count > Self.rowBytes {
            let someTokens = tokens.prefix(Self.rowTokens)
            let someText = Self.wholeCharacters(of: text, atMost: Self.rowBytes)
            putRow(
                request, on: outlet, handle: handle, tokens: someTokens, left: tokens.count, text: someText,
                finish: .none, status: .ok)
            tokens = tokens.dropFirst(someTokens.count)
            text = text.dropFirst(someText.count)
        }
        putRow(
            request, on: outlet, handle: handle, tokens: tokens, left: tokens.count, text: text, finish: finish,
            status: status)
        for hop in hops {
            var own = hop
            own.handle = handle
            outlet.batch.hops.append(own)
        }
        list(outlet)
    }

    private static let rowTokens = Int(UInt16.max)
    private static let rowBytes = 4 << 20

    /// - Parameter left: The row's tokens and those after it.
    private func putRow(
        _ request: IngestRequest, on outlet: ClientOutlet, handle: UInt32, tokens: ArraySlice<UInt32>, left: Int,
        text: ArraySlice<UInt8>, finish: FinishReason, status: Status
    ) {
        outlet.makeRoom(tokens: tokens.count, bytes: text.count)
        let position = request.generated.count - left
        let isEdge = finish != .none || position == 0
        outlet.batch.rows.append(
            TextRow(
                handle: handle, tokenCount: UInt16(clamping: tokens.count), finish: finish, status: status,
                position: UInt32(clamping: position), textLength: UInt32(text.count),
                promptTokens: isEdge ? request.promptTokens : 0, cachedTokens: isEdge ? request.cachedTokens : 0))
        outlet.batch.tokens += tokens
        outlet.batch.text += text
    }

    private static func wholeCharacters(of text: ArraySlice<UInt8>, atMost limit: Int) -> ArraySlice<UInt8> {
        guard text.count > limit else { return text }
        var end = text.startIndex + limit
        for _ in 0..<3 where text[end] & 0xc0 == 0x80 { end -= 1 }
        return text[..<end]
    }
}
