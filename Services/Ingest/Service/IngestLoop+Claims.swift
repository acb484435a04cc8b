import Dispatch
import Line
import OpenAIDoor
import Station
import Tables
import Transport
import Wire

/// Requests with an idempotency key: each waits for the ledger's word that the key is its own before it is admitted.
extension IngestLoop {
    /// A request whose key is asked for.
    struct PendingClaim {
        let request: IngestRequest
        let key: String
        /// When the ledger has not answered by then, the client is told so.
        private(set) var until: UInt64 = 0
        /// Whether the ledger was asked: before that, nothing can have been granted.
        var isSent = false

        init(_ request: IngestRequest, key: String, until: UInt64) {
            self.request = request
            self.key = key
            extend(to: until)
        }

        /// The ledger has until then, if the client's own time is not over before.
        mutating func extend(to until: UInt64) {
            self.until = request.deadline > 0 ? min(until, request.deadline) : until
        }

        /// Whether the client's own time is over, and not the ledger's.
        func isOverdue(_ now: UInt64) -> Bool { request.deadline > 0 && now >= request.deadline }
    }

    /// What is left of a request whose client was told that the ledger did not answer: the key is free again when it
    /// was granted after all.
    struct AbandonedClaim {
        var reserve: LedgerEvent
        var void: LedgerEvent
    }

    /// How long the ledger may take, in nanoseconds.
    private static var patience: UInt64 { 5_000_000_000 }

    /// A prompt of more bytes is digested on a thread of its own: every frame and every client waits for the reactor's.
    private static var digestedAtOnce: Int { 64 << 10 }

    /// Asks the ledger for a request's key; the refusal when that cannot be done.
    /// - Parameter hasSeed: Whether the client chose the seed.
    func claim(_ request: IngestRequest, key: String, hasSeed: Bool, now: UInt64) -> Refusal? {
        // Before the whole body is read for its digest.
        if let message = overflow(of: request.body, promptBytes: request.promptBytes) {
            counters.refused += 1
            return Refusal(status: .promptTooLong, message: message)
        }
        guard !isDraining, claims.count < configuration.admission else {
            counters.busy += 1
            return Refusal(status: .busy, message: "Too many requests wait; retry later.")
        }
        guard heldBytes == 0 || heldBytes + request.heldBytes <= configuration.heldBytes else {
            counters.busy += 1
            return Refusal(status: .busy, message: "Too many requests wait; retry later.")
        }
        lastClaim += 1
        let number = lastClaim
        let body = ClaimedBody(request.body, hasSeed: hasSeed, streams: request.streams)
        let isLong = request.promptBytes > Self.digestedAtOnce
        // The ledger's time begins when it is asked.
        var claim = PendingClaim(request, key: key, until: isLong ? .max : now + Self.patience)
        if isLong {
            let reactor = reactor
            digests.async { [weak self] in
                let digest = body.result
                reactor.post { self?.assumeIsolated { $0.digested(number, digest) } }
            }
        } else if let refusal = send(number, &claim, body.result) {
            return refusal
        }
        claims[number] = claim
        heldBytes += request.heldBytes
        return nil
    }

    /// The digest of a long body is there, unless its client's patience or the ledger's was over before.
    private func digested(_ number: UInt64, _ digest: Result<BodyDigest, WireError>) {
        guard var claim = claims.removeValue(forKey: number) else { return }
        claim.extend(to: MonotonicClock.now() + Self.patience)
        guard let refusal = send(number, &claim, digest) else { return claims[number] = claim }
        heldBytes -= claim.request.heldBytes
        refuse(claim.request, refusal)
    }

    private func send(
        _ number: UInt64, _ claim: inout PendingClaim, _ digest: Result<BodyDigest, WireError>
    ) -> Refusal? {
        guard case .success(let bodyDigest) = digest else {
            counters.refused += 1
            return Refusal(status: .invalidRequest, message: "The request does not fit a frame.")
        }
        let question = Claim(
            number: number, requestID: claim.request.requestID, bodyDigest: bodyDigest, tenant: claim.request.tenant,
            key: claim.key)
        guard ledger.send(question) else {
            counters.refused += 1
            return Refusal(
                status: .unavailable, message: "The ledger is away: requests with an idempotency key have to wait.")
        }
        claim.isSent = true
        return nil
    }

    /// The ledger has said whose key it is.
    func claimAnswered(_ answer: ClaimAnswer) {
        guard let claim = claims.removeValue(forKey: answer.number) else { return orphanedGrant(answer) }
        let request = claim.request
        heldBytes -= request.heldBytes
        switch answer.outcome {
        case .granted:
            if isGone(request) { return release(abandoned(request)) }
            if claim.isOverdue(MonotonicClock.now()) {
                release(abandoned(request))
                return refuse(request, overdue())
            }
            switch admit(request) {
            case .success(let work): note(work, of: request)
            case .failure(let refusal):
                release(abandoned(request))
                refuse(request, refusal)
            }
        case .running:
            refuse(
                request,
                Refusal(
                    status: .conflict,
                    message: "A request with this idempotency key is in the works: \(answer.requestID)."))
        case .ended:
            refuse(
                request,
                Refusal(
                    status: .conflict,
                    message: "A request with this idempotency key has ended (\(answer.finish), "
                        + "\(answer.deliveredTokens) tokens delivered): \(answer.requestID)."))
        case .otherBody:
            refuse(
                request,
                Refusal(
                    status: .keyMismatch,
                    message: "This idempotency key was used with another request body: \(answer.requestID)."))
        case .refused:
            refuse(request, Refusal(status: .unavailable, message: "The ledger cannot decide about the key now."))
        }
    }

    /// Ends the waits for the ledger that took too long, all of them when it went away.
    func endClaims(_ now: UInt64, all: Bool = false) {
        for (number, claim) in claims where all || now >= claim.until {
            claims[number] = nil
            heldBytes -= claim.request.heldBytes
            refuse(
                claim.request,
                claim.isOverdue(now)
                    ? overdue()
                    : Refusal(status: .unavailable, message: "The ledger did not say in time whose the key is."))
            // If it was granted after all, the answer finds nobody and the key is free again.
            if claim.isSent { abandonedClaims[number] = abandoned(claim.request) }
        }
        while abandonedClaims.count > Self.abandonedLimit, let oldest = abandonedClaims.keys.min() {
            abandonedClaims[oldest] = nil
        }
    }

    private static var abandonedLimit: Int { 4096 }

    private func overdue() -> Refusal {
        counters.overdue += 1
        return Refusal(
            status: .deadlineExceeded, message: "The request's time was over before the ledger said whose the key is.")
    }

    private func orphanedGrant(_ answer: ClaimAnswer) {
        guard let claim = abandonedClaims.removeValue(forKey: answer.number), answer.outcome == .granted else { return }
        release(claim)
    }

    private func abandoned(_ request: IngestRequest) -> AbandonedClaim {
        var end = event(.void, request)
        end.outcome = .failed
        end.status = .unavailable
        var reserve = event(.reserve, request)
        reserve.label = request.label
        return AbandonedClaim(reserve: reserve, void: end)
    }

    /// The key is the request's, but no work is done for it: it is opened and voided, and its key may be used again.
    private func release(_ claim: AbandonedClaim) {
        ledger.record(claim.reserve)
        ledger.record(claim.void)
    }

    private func isGone(_ request: IngestRequest) -> Bool {
        switch request.client {
        case .door(let outlet, _): !outlet.tray.isOpen
        case .http(let stream): stream.isCancelled
        }
    }

    private func note(_ work: UInt64, of request: IngestRequest) {
        switch request.client {
        case .door(let outlet, let handle):
            outlet.claiming.remove(handle)
            outlet.works[handle] = work
        case .http(let stream): httpWorks[stream.number] = work
        }
    }

    private func refuse(_ request: IngestRequest, _ refusal: Refusal) {
        switch request.client {
        case .door(let outlet, let handle):
            outlet.claiming.remove(handle)
            guard outlet.tray.isOpen else { return }
            refuse(outlet, handle, refusal.status, refusal.message)
        case .http(let stream): refuse(stream, refusal)
        }
    }
}
