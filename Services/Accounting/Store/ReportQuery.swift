import Economics
import Foundation
import GRDB
import Wire

/// The sums of reports, in SQL over the projections.
enum ReportQuery {
    private static let attemptSums = """
        count(*) AS attempts, count(*) FILTER (WHERE a.witness <> 1) AS lost,
        ifnull(sum(a.after_cancel), 0) AS after_cancel,
        sum(a.microjoules) FILTER (WHERE a.energy_source = 1) AS measured,
        sum(a.microjoules) FILTER (WHERE a.energy_source = 2) AS modelled,
        count(*) FILTER (WHERE a.microjoules IS NULL) AS unknown
        """

    /// By a column of `request`, given as SQL over its alias `r`.
    static func requests(_ db: Database, by column: String, since: Int64) throws -> [ReportRow] {
        var rows: [String: ReportRow] = [:]
        let sums = try Row.fetchAll(
            db,
            sql: """
                SELECT \(column) AS name, count(*) AS requests, count(*) FILTER (WHERE state = 0) AS reserved,
                    count(*) FILTER (WHERE state = 1) AS settled, count(*) FILTER (WHERE state = 2) AS void,
                    count(*) FILTER (WHERE state = 3) AS expired, sum(prompt) AS prompt, sum(cached) AS cached,
                    sum(produced) AS produced, sum(delivered) AS delivered, sum(billed) AS billed,
                    sum(wasted) AS wasted, sum(amount) AS amount,
                    ifnull(sum(reserved) FILTER (WHERE state = 0), 0) AS held
                FROM request r WHERE opened_at >= ? GROUP BY name
                """,
            arguments: [since])
        for sum in sums {
            var row = ReportRow()
            row.name = sum["name"]
            fillCounts(&row, from: sum)
            row.promptTokens = sum["prompt"]
            row.cachedTokens = sum["cached"]
            row.producedTokens = sum["produced"]
            row.deliveredTokens = sum["delivered"]
            row.billedTokens = sum["billed"]
            row.wastedTokens = sum["wasted"]
            row.amount = Money(nanodollars: sum["amount"])
            row.held = Money(nanodollars: sum["held"])
            rows[row.name] = row
        }
        let attempts = try Row.fetchAll(
            db,
            sql: """
                SELECT \(column) AS name, \(attemptSums)
                FROM attempt a JOIN request r ON r.id = a.request
                WHERE a.stands AND r.opened_at >= ? GROUP BY name
                """,
            arguments: [since])
        for sum in attempts { fillAttempts(&rows[sum["name"] as String, default: zero], from: sum) }
        return rows.values.sorted { $0.name < $1.name }
    }

    static func workers(_ db: Database, since: Int64) throws -> [ReportRow] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT a.worker AS name, count(DISTINCT r.id) AS requests,
                    count(DISTINCT r.id) FILTER (WHERE r.state = 0) AS reserved,
                    count(DISTINCT r.id) FILTER (WHERE r.state = 1) AS settled,
                    count(DISTINCT r.id) FILTER (WHERE r.state = 2) AS void,
                    count(DISTINCT r.id) FILTER (WHERE r.state = 3) AS expired,
                    sum(a.prompt) AS prompt, sum(a.cached) AS cached, sum(a.counted) AS produced, \(attemptSums)
                FROM attempt a JOIN request r ON r.id = a.request
                WHERE a.stands AND r.opened_at >= ? GROUP BY a.worker ORDER BY a.worker
                """,
            arguments: [since]
        ).map { sum in
            var row = ReportRow()
            row.name = sum["name"]
            fillCounts(&row, from: sum)
            row.promptTokens = sum["prompt"]
            row.cachedTokens = sum["cached"]
            row.producedTokens = sum["produced"]
            fillAttempts(&row, from: sum)
            return row
        }
    }

    static var zero: ReportRow {
        var row = ReportRow()
        row.deliveredTokens = 0
        row.billedTokens = 0
        row.wastedTokens = 0
        row.amount = .zero
        row.held = .zero
        return row
    }

    static func summaries(_ db: Database, id: RequestID) throws -> [RequestSummary] {
        let low = EntryName.key(requestID: id, tenant: "").prefix(16)
        return try Row.fetchAll(
            db,
            sql: """
                SELECT request.*, event.body AS end_body FROM request LEFT JOIN event ON event.sequence = ended_by
                WHERE key >= ? AND key < ? ORDER BY tenant
                """,
            arguments: [Data(low), Data(low) + [0xff, 0xff, 0xff, 0xff]]
        ).map { row in
            let end: Data? = row["end_body"]
            return RequestSummary(
                requestID: id, tenant: row["tenant"], model: row["model"],
                status: RequestStatus(rawValue: row["state"]) ?? .reserved,
                outcome: end.flatMap(EventBody.decode)?.outcome, openedAt: row["opened_at"],
                reserved: Money(nanodollars: row["reserved"]), amount: Money(nanodollars: row["amount"]),
                promptTokens: row["prompt"], cachedTokens: row["cached"], producedTokens: row["produced"],
                deliveredTokens: row["delivered"], billedTokens: row["billed"], wastedTokens: row["wasted"],
                attempts: row["attempts"])
        }
    }

    private static func fillCounts(_ row: inout ReportRow, from sum: Row) {
        row.requests = sum["requests"]
        row.reserved = sum["reserved"]
        row.settled = sum["settled"]
        row.void = sum["void"]
        row.expired = sum["expired"]
    }

    private static func fillAttempts(_ row: inout ReportRow, from sum: Row) {
        row.attempts = sum["attempts"]
        row.lostAttempts = sum["lost"]
        row.tokensAfterCancel = sum["after_cancel"]
        row.measuredMicrojoules = sum["measured"]
        row.modelledMicrojoules = sum["modelled"]
        row.attemptsWithoutEnergy = sum["unknown"]
    }
}
