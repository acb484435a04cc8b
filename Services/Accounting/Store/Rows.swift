import Economics
import Foundation
import GRDB
import Wire

/// The `request` and `attempt` rows of one request.
enum RequestRow {
    static func fetch(_ db: Database, key: Data, path: String) throws -> RequestState? {
        guard
            let row = try Row.fetchOne(
                db.cachedStatement(sql: "SELECT * FROM request WHERE key = ?"), arguments: [key])
        else { return nil }
        var state = try decode(row, path: path)
        if row["attempts"] as Int64 > 0 {
            state.attempts = try Row.fetchAll(
                db.cachedStatement(sql: "SELECT * FROM attempt WHERE request = ? ORDER BY event"),
                arguments: [state.id]
            ).map { try AttemptRow.decode($0, path: path) }
        }
        return state
    }

    static func decode(_ row: Row, path: String) throws -> RequestState {
        let id: Int64 = row["id"]
        guard let status = RequestStatus(rawValue: row["state"]), let prompt = UInt32(exactly: row["prompt"] as Int64),
            let cached = UInt32(exactly: row["cached"] as Int64),
            let delivered = UInt32(exactly: row["delivered"] as Int64)
        else { throw LedgerError.damaged(path: path, sequence: id, reason: "the request's projection is out of range") }
        var state = RequestState(
            id: id, key: row["key"],
            requestID: RequestID(
                high: UInt64(bitPattern: row["id_high"] as Int64), low: UInt64(bitPattern: row["id_low"] as Int64)),
            tenant: row["tenant"], openedAt: row["opened_at"], prices: row["prices"], model: row["model"])
        state.status = status
        state.endedBy = row["ended_by"]
        state.reserved = row["reserved"]
        state.amount = row["amount"]
        state.promptTokens = prompt
        state.cachedTokens = cached
        state.deliveredTokens = delivered
        return state
    }

    static func store(_ state: RequestState, in db: Database) throws {
        try db.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO request VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            state.id, state.key, Int64(bitPattern: state.requestID.high), Int64(bitPattern: state.requestID.low),
            state.tenant, state.model, state.openedAt, state.prices, state.status.rawValue, state.endedBy,
            state.reserved, state.amount, state.promptTokens, state.cachedTokens, state.producedTokens,
            state.deliveredTokens, state.billedTokens, state.wastedTokens, state.attempts.count,
        ])
        for attempt in state.attempts { try AttemptRow.store(attempt, request: state.id, in: db) }
    }
}

enum AttemptRow {
    static func decode(_ row: Row, path: String) throws -> AttemptRecord {
        let sequence: Int64 = row["event"]
        guard let witness = AttemptRecord.Witness(rawValue: row["witness"]),
            let outcome = FinishReason(rawValue: row["outcome"]),
            let ingestAttempt = UInt16(exactly: row["ingest_attempt"] as Int64),
            let tokenizerAttempt = UInt16(exactly: row["tokenizer_attempt"] as Int64),
            let prompt = UInt32(exactly: row["prompt"] as Int64),
            let cached = UInt32(exactly: row["cached"] as Int64),
            let produced = UInt32(exactly: row["produced"] as Int64),
            let counted = UInt32(exactly: row["counted"] as Int64),
            let afterCancel = UInt32(exactly: row["after_cancel"] as Int64),
            let source = UInt8(exactly: row["energy_source"] as Int64)
        else {
            throw LedgerError.damaged(
                path: path, sequence: sequence, reason: "the attempt's projection is out of range")
        }
        return AttemptRecord(
            sequence: sequence, ingestAttempt: ingestAttempt, tokenizerAttempt: tokenizerAttempt,
            producer: UInt64(bitPattern: row["producer"] as Int64), witness: witness, promptTokens: prompt,
            cachedTokens: cached, producedTokens: produced, tokensAfterCancel: afterCancel,
            microjoules: row["microjoules"], energySource: source, outcome: outcome, worker: row["worker"],
            model: row["model"], counted: counted, stands: row["stands"])
    }

    static func store(_ attempt: AttemptRecord, request: Int64, in db: Database) throws {
        try db.cachedStatement(
            sql: "INSERT OR REPLACE INTO attempt VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        ).execute(arguments: [
            attempt.sequence, request, attempt.ingestAttempt, attempt.tokenizerAttempt,
            Int64(bitPattern: attempt.producer), attempt.witness.rawValue, attempt.promptTokens, attempt.cachedTokens,
            attempt.producedTokens, attempt.counted, attempt.stands, attempt.tokensAfterCancel, attempt.microjoules,
            attempt.energySource, attempt.outcome.rawValue, attempt.worker, attempt.model,
        ])
    }
}

/// The signed head as it stands in `meta`.
enum CheckpointRow {
    static func encode(_ checkpoint: Checkpoint) -> Data {
        var writer = ByteWriter(capacity: 120)
        writer.put(checkpoint.sequence)
        writer.put(checkpoint.madeAt)
        writer.put(raw: checkpoint.hash)
        writer.put(raw: checkpoint.signature)
        return Data(writer.bytes)
    }

    /// Nil when the bytes are not a head.
    static func decodeHead(_ data: Data) -> Checkpoint? {
        var reader = ByteReader(data)
        guard data.count > 48, let sequence = reader.take(UInt64.self), let madeAt = reader.take(UInt64.self) else {
            return nil
        }
        let rest = data.dropFirst(16)
        return Checkpoint(
            number: 0, sequence: Int64(bitPattern: sequence), hash: Data(rest.prefix(32)),
            madeAt: Int64(bitPattern: madeAt), signature: Data(rest.dropFirst(32)))
    }

    static func decode(_ row: Row) -> Checkpoint {
        Checkpoint(
            number: row["number"], sequence: row["sequence"], hash: row["hash"], madeAt: row["made_at"],
            signature: row["signature"])
    }
}

enum GapBody {
    static func encode(_ gap: RecordGap) -> Data {
        var writer = ByteWriter(capacity: 24)
        writer.put(gap.producer)
        writer.put(gap.numbers.lowerBound)
        writer.put(gap.numbers.upperBound)
        return Data(writer.bytes)
    }

    static func decode(_ data: Data) -> RecordGap? {
        var reader = ByteReader(data)
        guard let producer = reader.take(UInt64.self), let low = reader.take(UInt64.self),
            let high = reader.take(UInt64.self), low <= high, reader.isAtEnd
        else { return nil }
        return RecordGap(producer: producer, numbers: low...high)
    }
}
