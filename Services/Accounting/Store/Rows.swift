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
        if try row.checked("attempts", Int64.self) > 0 {
            state.attempts = try Row.fetchAll(
                db.cachedStatement(sql: "SELECT * FROM attempt WHERE request = ? ORDER BY event"),
                arguments: [state.id]
            ).map { try AttemptRow.decode($0, path: path) }
        }
        return state
    }

    static func decode(_ row: Row, path: String) throws -> RequestState {
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

enum AttemptRow {
    static func decode(_ row: Row, path: String) throws -> AttemptRecord {
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

/// What writes the `request` and `attempt` rows back, in one transaction.
struct RequestStatements {
    private let insert: BoundStatement
    private let update: BoundStatement
    private let attempt: BoundStatement

    init(_ db: Database) throws {
        insert = try BoundStatement(
            db,
            """
            INSERT INTO request (
                model, state, ended_by, reserved, amount, prompt, cached, produced, delivered, billed, wasted,
                attempts, owner, maximum, label, id, key, id_high, id_low, tenant, opened_at, prices)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """)
        update = try BoundStatement(
            db,
            """
            UPDATE request SET
                model = ?, state = ?, ended_by = ?, reserved = ?, amount = ?, prompt = ?, cached = ?, produced = ?,
                delivered = ?, billed = ?, wasted = ?, attempts = ?, owner = ?, maximum = ?, label = ?
            WHERE id = ?
            """)
        attempt = try BoundStatement(
            db, "INSERT OR REPLACE INTO attempt VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    }

    /// Brings the rows up to the request's state.
    func store(_ request: OpenRequest) throws {
        let state = request.state
        try (request.isStored ? update : insert).run { values in
            values.add(state.model)
            values.add(state.status.rawValue)
            values.add(state.endedBy)
            values.add(state.reserved)
            values.add(state.amount)
            values.add(state.promptTokens)
            values.add(state.cachedTokens)
            values.add(state.producedTokens)
            values.add(state.deliveredTokens)
            values.add(state.billedTokens)
            values.add(state.wastedTokens)
            values.add(state.attempts.count)
            values.add(state.owner.map { Int64(bitPattern: $0) })
            values.add(state.maximumTokens)
            values.add(state.label)
            values.add(state.id)
            guard !request.isStored else { return }
            values.add(state.key)
            values.add(Int64(bitPattern: state.requestID.high))
            values.add(Int64(bitPattern: state.requestID.low))
            values.add(state.tenant)
            values.add(state.openedAt)
            values.add(state.prices)
        }
        let stored = request.storedAttempts
        for (index, attempt) in state.attempts.enumerated() where index >= stored.count || stored[index] != attempt {
            try store(attempt, of: state.id)
        }
    }

    private func store(_ record: AttemptRecord, of request: Int64) throws {
        try attempt.run { values in
            values.add(record.sequence)
            values.add(request)
            values.add(record.ingestAttempt)
            values.add(record.tokenizerAttempt)
            values.add(Int64(bitPattern: record.producer))
            values.add(record.witness.rawValue)
            values.add(record.promptTokens)
            values.add(record.cachedTokens)
            values.add(record.producedTokens)
            values.add(record.counted)
            values.add(record.stands)
            values.add(record.tokensAfterCancel)
            values.add(record.microjoules)
            values.add(record.energySource)
            values.add(record.outcome.rawValue)
            values.add(record.worker)
            values.add(record.model)
        }
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

    static func decode(_ row: Row) throws -> Checkpoint {
        Checkpoint(
            number: try row.checked("number"), sequence: try row.checked("sequence"), hash: try row.checked("hash"),
            madeAt: try row.checked("made_at"), signature: try row.checked("signature"))
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
