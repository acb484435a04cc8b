import Keys
import Line
import Logging
import OpenAIDoor
import Station
import Tables
import Transport
import Wire

/// Keys that are withdrawn or over, and what a key may take in a minute.
extension IngestLoop {
    private static var expiryInterval: UInt64 { 1_000_000_000 }

    /// Ends the sessions and the requests of keys that are good no more: when their file has changed, and each second,
    /// since keys can have an end.
    func endWithdrawn(_ now: UInt64) {
        guard let keys = access.keys, keys.generation != keyGeneration || now >= nextExpiryCheck else { return }
        keyGeneration = keys.generation
        nextExpiryCheck = now + Self.expiryInterval
        for (session, outlet) in outlets where !access.isGood(outlet.grant) {
            log.notice("ingest: a client's key is good no more", metadata: ["tenant": "\(outlet.tenant)"])
            clients.dispatcher.dismiss(session.peer, .unauthenticated)
        }
        for work in requests.keys {
            guard let request = requests[work], !request.isEnding, !access.isGood(request.grant) else { continue }
            conclude(work, finish: .failed, status: .unauthenticated, message: "The API key is good no more.")
        }
    }

    /// Counts a request against what its key may take in a minute; the refusal where that is used up.
    func rateRefusal(of request: IngestRequest, now: UInt64) -> Refusal? {
        rateRefusal(of: request.grant, tokens: UInt64(request.share.cost), now: now)
    }

    func rateRefusal(of grant: KeyRing.Grant?, tokens: UInt64, now: UInt64) -> Refusal? {
        guard let keys = access.keys, let grant else { return nil }
        let wait = keys.begin(grant, tokens: tokens, now: now)
        guard wait > 0 else { return nil }
        let seconds = (wait + 999_999_999) / 1_000_000_000
        return Refusal(
            status: .rateLimited,
            message: "This API key's requests or tokens a minute are used up; retry in \(seconds) s.",
            retryAfterMilliseconds: wait / 1_000_000 + 1)
    }

    /// A request has ended: what it took counts, not what was expected.
    func correctRate(of request: IngestRequest) {
        guard let keys = access.keys, let grant = request.grant else { return }
        keys.end(
            grant, expected: UInt64(request.share.cost),
            used: UInt64(request.promptTokens) + UInt64(request.generated.count))
    }
}
