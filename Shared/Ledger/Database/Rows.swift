package import Foundation
package import GRDB
package import Ledger
import Wire

/// The `request` row of one request.
package enum RequestRow {
    package static func fetch(_ db: Database, key: Data, path: String) throws -> RequestState? {
        guard
            let row = try Row.fetchOne(
                db.cachedStatement(sql: "SELECT * FROM request WHERE key = ?"), arguments: [key])
        else { return nil }
        var state = try decode(row, path: path)
        if try row.checked("attempts", Int64.self) > 0 {
            state.attempts = try Row.fetchAll(
                db.cachedStatement(sql: "SELECT * FROM attempt WHERE request = ? ORDER BY event"),
                arguments: [state.id]
            ).map { try AttemptRow.decode($0, path: path) }
        }
        return state
    }

    package static func decode(_ row: Row, path: String) throws -> RequestState {
        let id: Int64 = try row.checked("id")
        guard let status = UInt8(exactly: try row.checked("state", Int64.self)).flatMap(RequestStatus.init(rawValue:)),
            let prompt = UInt32(exactly: try row.checked("prompt", Int64.self)),
            let cached = UInt32(exactly: try row.checked("cached", Int64.self)),
            let delivered = UInt32(exactly: try row.checked("delivered", Int64.self)),
            let maximum = UInt32(exactly: try row.optional("maximum", Int64.self) ?? 0)
        else { throw LedgerError.damaged(path: path, sequence: id, reason: "the request's projection is out of range") }
        var state = RequestState(
            id: id, key: try row.checked("key"),
            requestID: RequestID(
                high: UInt64(bitPattern: try row.checked("id_high", Int64.self)),
                low: UInt64(bitPattern: try row.checked("id_low", Int64.self))),
            tenant: try row.checked("tenant"), openedAt: try row.checked("opened_at"),
            prices: try row.checked("prices"), model: try row.checked("model"))
        state.owner = try row.optional("owner", Int64.self).map(UInt64.init(bitPattern:))
        state.maximumTokens = maximum
        state.label = try row.optional("label", String.self) ?? ""
        state.status = status
        state.endedBy = try row.optional("ended_by", Int64.self)
        state.reserved = try row.checked("reserved")
        state.amount = try row.checked("amount")
        state.promptTokens = prompt
        state.cachedTokens = cached
        state.deliveredTokens = delivered
        return state
    }
}

/// The `attempt` rows of one request.
package enum AttemptRow {
    package static func decode(_ row: Row, path: String) throws -> AttemptRecord {
        let sequence: Int64 = try row.checked("event")
        guard
            let witness = UInt8(exactly: try row.checked("witness", Int64.self)).flatMap(
                AttemptRecord.Witness.init(rawValue:)),
            let outcome = UInt8(exactly: try row.checked("outcome", Int64.self)).flatMap(FinishReason.init(rawValue:)),
            let ingestAttempt = UInt16(exactly: try row.checked("ingest_attempt", Int64.self)),
            let tokenizerAttempt = UInt16(exactly: try row.checked("tokenizer_attempt", Int64.self)),
            let prompt = UInt32(exactly: try row.checked("prompt", Int64.self)),
            let cached = UInt32(exactly: try row.checked("cached", Int64.self)),
            let produced = UInt32(exactly: try row.checked("produced", Int64.self)),
            let counted = UInt32(exactly: try row.checked("counted", Int64.self)),
            let afterCancel = UInt32(exactly: try row.checked("after_cancel", Int64.self)),
            let source = UInt8(exactly: try row.checked("energy_source", Int64.self))
        else {
            throw LedgerError.damaged(
                path: path, sequence: sequence, reason: "the attempt's projection is out of range")
        }
        return AttemptRecord(
            sequence: sequence, ingestAttempt: ingestAttempt, tokenizerAttempt: tokenizerAttempt,
            producer: UInt64(bitPattern: try row.checked("producer", Int64.self)), witness: witness,
            promptTokens: prompt,
            cachedTokens: cached, producedTokens: produced, tokensAfterCancel: afterCancel,
            microjoules: try row.optional("microjoules", Int64.self), energySource: source, outcome: outcome,
            worker: try row.checked("worker"),
            model: try row.checked("model"), counted: counted, stands: try row.checked("stands"))
    }
}

/// The signed head as it stands in `meta`.
package enum CheckpointRow {
    package static func encode(_ checkpoint: Checkpoint) -> Data {
        var writer = ByteWriter(capacity: 120)
        writer.put(checkpoint.sequence)
        writer.put(checkpoint.madeAt)
        writer.put(raw: checkpoint.hash)
        writer.put(raw: checkpoint.signature)
        return Data(writer.bytes)
    }

    /// Nil when the bytes are not a head.
    package static func decodeHead(_ data: Data) -> Checkpoint? {
        var reader = ByteReader(data)
        guard data.count > 48, let sequence = reader.take(UInt64.self), let madeAt = reader.take(UInt64.self) else {
            return nil
        }
        let rest = data.dropFirst(16)
        return Checkpoint(
            number: 0, sequence: Int64(bitPattern: sequence), hash: Data(rest.prefix(32)),
            madeAt: Int64(bitPattern: madeAt), signature: Data(rest.dropFirst(32)))
    }

    package static func decode(_ row: Row) throws -> Checkpoint {
        Checkpoint(
            number: try row.checked("number"), sequence: try row.checked("sequence"), hash: try row.checked("hash"),
            madeAt: try row.checked("made_at"), signature: try row.checked("signature"))
    }
}
