import Foundation
public import Wire

/// A claim and the ingest that makes it.
public struct ClaimAsk: Equatable, Sendable {
    public var claim: Claim
    /// The ingest's boot epoch.
    public var producer: UInt64

    public init(_ claim: Claim, producer: UInt64) {
        self.claim = claim
        self.producer = producer
    }
}

/// The rules of claims: which request of a tenant has which idempotency key.
///
/// The first that asks has it, until its request is void or has expired, or the claim is too old. A claim's age is
/// counted while the ledger is open, so that no step of a wall clock ends it. A plain value over `LedgerState`; what it
/// grants belongs to the transaction under way.
package struct ClaimRules<State: LedgerState> {
    private let state: State
    /// What the claims' clock shows, in nanoseconds.
    private let age: UInt64

    package init(_ state: State, age: UInt64) {
        self.state = state
        self.age = age
    }

    /// What the clock showed when it was last noted.
    package static func age(_ state: State) throws -> UInt64 {
        max(try state.claimAge() ?? 0, UInt64(clamping: try state.latestClaim() ?? 0))
    }

    /// - Parameter isGone: whether the ingest of this boot epoch has been away for the time to live.
    package func decide(_ ask: ClaimAsk, isGone: (UInt64) -> Bool) throws -> ClaimAnswer {
        let claim = ask.claim
        let digest = Self.bytes(of: claim.bodyDigest)
        guard let holder = try state.claim(tenant: claim.tenant, key: claim.key) else {
            try grant(ask, digest)
            return ClaimAnswer(number: claim.number, requestID: claim.requestID, outcome: .granted)
        }
        var answer = ClaimAnswer(number: claim.number, requestID: holder.requestID, outcome: .running)
        guard holder.digest == digest else {
            answer.outcome = .otherBody
            return answer
        }
        guard holder.requestID != claim.requestID else {
            answer.outcome = .granted
            return answer
        }
        if let request = try state.request(EntryName.key(requestID: holder.requestID, tenant: claim.tenant)) {
            switch request.status {
            case .reserved: return answer
            case .settled:
                answer.outcome = .ended
                answer.finish = try finish(of: request)
                answer.deliveredTokens = request.deliveredTokens
                return answer
            case .void, .expired: break
            }
        } else if !isGone(holder.producer) {
            // Its reservation is on the way.
            return answer
        }
        try grant(ask, digest)
        answer.requestID = claim.requestID
        answer.outcome = .granted
        return answer
    }

    private func grant(_ ask: ClaimAsk, _ digest: Data) throws {
        try state.store(
            ClaimRecord(
                tenant: ask.claim.tenant, key: ask.claim.key, digest: digest, requestID: ask.claim.requestID,
                producer: ask.producer, madeAt: Int64(clamping: age)))
    }

    private func finish(of request: RequestState) throws -> FinishReason {
        guard let row = request.endedBy, let body = try state.body(of: row, kind: nil) else { return .none }
        return EventBody.decode(body)?.outcome ?? .none
    }

    /// Takes out the claims that are older, and notes how old the others are.
    /// - Parameter time: in nanoseconds.
    /// - Returns: how many were taken out.
    package func forget(olderThan time: UInt64) throws -> Int {
        guard try state.latestClaim() != nil else { return 0 }
        try state.setClaimAge(age)
        guard age > time else { return 0 }
        return try state.removeClaims(before: Int64(clamping: age - time))
    }

    private static func bytes(of digest: BodyDigest) -> Data {
        var writer = ByteWriter(capacity: 32)
        writer.put(digest.words.0)
        writer.put(digest.words.1)
        writer.put(digest.words.2)
        writer.put(digest.words.3)
        return Data(writer.bytes)
    }
}

extension UInt64 {
    /// The sum, or the largest number where it does not fit.
    package func addingClamped(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
