import Foundation
import GRDB
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

/// Which request of a tenant has which idempotency key.
///
/// The first that asks has it, until its request is void or has expired, or the claim is too old. A claim's age is
/// counted while the ledger is open, so that no step of a wall clock ends it.
struct ClaimTable {
    let db: Database
    /// What the claims' clock shows, in nanoseconds.
    let age: UInt64
    let path: String

    private static let ageName = "claim-age"

    /// What the clock showed when it was last noted.
    static func age(_ db: Database) throws -> UInt64 {
        let noted = try Data.fetchOne(db, sql: "SELECT value FROM meta WHERE name = ?", arguments: [ageName])
        let latest = try Int64.fetchOne(db, sql: "SELECT max(made_at) FROM claim") ?? 0
        var reader = ByteReader(noted ?? Data())
        return max(reader.take(UInt64.self) ?? 0, UInt64(clamping: latest))
    }

    func decide(_ ask: ClaimAsk, isGone: (UInt64) -> Bool) throws -> ClaimAnswer {
        let claim = ask.claim
        let digest = Self.bytes(of: claim.bodyDigest)
        let row = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT * FROM claim WHERE tenant = ? AND key = ?"),
            arguments: [claim.tenant, claim.key])
        guard let row else {
            try grant(ask, digest)
            return ClaimAnswer(number: claim.number, requestID: claim.requestID, outcome: .granted)
        }
        let holder = RequestID(
            high: UInt64(bitPattern: try row.checked("id_high", Int64.self)),
            low: UInt64(bitPattern: try row.checked("id_low", Int64.self)))
        var answer = ClaimAnswer(number: claim.number, requestID: holder, outcome: .running)
        guard try row.checked("digest", Data.self) == digest else {
            answer.outcome = .otherBody
            return answer
        }
        guard holder != claim.requestID else {
            answer.outcome = .granted
            return answer
        }
        let producer = UInt64(bitPattern: try row.checked("producer", Int64.self))
        if let state = try RequestRow.fetch(db, key: EntryName.key(requestID: holder, tenant: claim.tenant), path: path)
        {
            switch state.status {
            case .reserved: return answer
            case .settled:
                answer.outcome = .ended
                answer.finish = try finish(of: state)
                answer.deliveredTokens = state.deliveredTokens
                return answer
            case .void, .expired: break
            }
        } else if !isGone(producer) {
            // Its reservation is on the way.
            return answer
        }
        try grant(ask, digest)
        answer.requestID = claim.requestID
        answer.outcome = .granted
        return answer
    }

    private func grant(_ ask: ClaimAsk, _ digest: Data) throws {
        let id = ask.claim.requestID
        try db.cachedStatement(sql: "INSERT OR REPLACE INTO claim VALUES (?, ?, ?, ?, ?, ?, ?)").execute(arguments: [
            ask.claim.tenant, ask.claim.key, digest, Int64(bitPattern: id.high), Int64(bitPattern: id.low),
            Int64(bitPattern: ask.producer), Int64(clamping: age),
        ])
    }

    private func finish(of state: RequestState) throws -> FinishReason {
        let body = try Data.fetchOne(
            db.cachedStatement(sql: "SELECT body FROM event WHERE sequence = ?"), arguments: [state.endedBy])
        return body.flatMap(EventBody.decode)?.outcome ?? .none
    }

    /// Takes out the claims that are older.
    func forget(olderThan time: UInt64) throws -> Int {
        guard try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM claim)") ?? false else { return 0 }
        var writer = ByteWriter(capacity: 8)
        writer.put(age)
        try db.execute(
            sql: "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)",
            arguments: [Self.ageName, Data(writer.bytes)])
        guard age > time else { return 0 }
        try db.execute(sql: "DELETE FROM claim WHERE made_at < ?", arguments: [Int64(clamping: age - time)])
        return db.changesCount
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
    func addingClamped(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
