import GRDB
import Ledger
import Wire

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
