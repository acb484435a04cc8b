import Economics
import Foundation
import GRDB
import Ledger
import Wire

/// The sums of reports, in SQL over the projections.
struct ReportQuery {
    let db: Database
    /// Nanoseconds since 1970.
    let since: Int64
    /// Only this tenant's requests; nil for all.
    let tenant: String?

    private static let attemptSums = """
        count(*) AS attempts, count(*) FILTER (WHERE a.witness <> 1) AS lost,
        \(WideColumn.sum("a.after_cancel", as: "after_cancel")),
        \(WideColumn.sum("a.microjoules", as: "measured", filter: "a.energy_source = 1")),
        \(WideColumn.sum("a.microjoules", as: "modelled", filter: "a.energy_source = 2")),
        count(*) FILTER (WHERE a.microjoules IS NULL) AS unknown
        """

    private static let chosen = "r.opened_at >= :since AND (:tenant IS NULL OR r.tenant = :tenant)"

    private var arguments: StatementArguments { ["since": since, "tenant": tenant] }

    /// By a column of `request`, given as SQL over its alias `r`.
    func requests(by column: String) throws -> [ReportRow] {
        var rows: [String: ReportRow] = [:]
        let sums = try Row.fetchAll(
            db,
            sql: """
                SELECT \(column) AS name, count(*) AS requests, count(*) FILTER (WHERE state = 0) AS reserved,
                    count(*) FILTER (WHERE state = 1) AS settled, count(*) FILTER (WHERE state = 2) AS void,
                    count(*) FILTER (WHERE state = 3) AS expired, \(WideColumn.sum("prompt", as: "prompt")),
                    \(WideColumn.sum("cached", as: "cached")), \(WideColumn.sum("produced", as: "produced")),
                    \(WideColumn.sum("delivered", as: "delivered")), \(WideColumn.sum("billed", as: "billed")),
                    \(WideColumn.sum("wasted", as: "wasted")), \(WideColumn.sum("amount", as: "amount")),
                    \(WideColumn.sum("r.reserved", as: "held", filter: "state = 0"))
                FROM request r WHERE \(Self.chosen) GROUP BY name
                """,
            arguments: arguments)
        for sum in sums {
            var row = ReportRow()
            row.name = try sum.checked("name")
            try Self.fillCounts(&row, from: sum)
            row.promptTokens = try WideColumn.sum(sum, "prompt") ?? 0
            row.cachedTokens = try WideColumn.sum(sum, "cached") ?? 0
            row.producedTokens = try WideColumn.sum(sum, "produced") ?? 0
            row.deliveredTokens = try WideColumn.sum(sum, "delivered") ?? 0
            row.billedTokens = try WideColumn.sum(sum, "billed") ?? 0
            row.wastedTokens = try WideColumn.sum(sum, "wasted") ?? 0
            row.amount = Money(nanodollars: try WideColumn.sum(sum, "amount") ?? 0)
            row.held = Money(nanodollars: try WideColumn.sum(sum, "held") ?? 0)
            rows[row.name] = row
        }
        let attempts = try Row.fetchAll(
            db,
            sql: """
                SELECT \(column) AS name, \(Self.attemptSums)
                FROM attempt a JOIN request r ON r.id = a.request
                WHERE a.stands AND \(Self.chosen) GROUP BY name
                """,
            arguments: arguments)
        for sum in attempts { try Self.fillAttempts(&rows[sum.checked("name"), default: Self.zero], from: sum) }
        return rows.values.sorted { $0.name < $1.name }
    }

    func workers() throws -> [ReportRow] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT a.worker AS name, count(DISTINCT r.id) AS requests,
                    count(DISTINCT r.id) FILTER (WHERE r.state = 0) AS reserved,
                    count(DISTINCT r.id) FILTER (WHERE r.state = 1) AS settled,
                    count(DISTINCT r.id) FILTER (WHERE r.state = 2) AS void,
                    count(DISTINCT r.id) FILTER (WHERE r.state = 3) AS expired,
                    \(WideColumn.sum("a.prompt", as: "prompt")), \(WideColumn.sum("a.cached", as: "cached")),
                    \(WideColumn.sum("a.counted", as: "produced")), \(Self.attemptSums)
                FROM attempt a JOIN request r ON r.id = a.request
                WHERE a.stands AND \(Self.chosen) GROUP BY a.worker ORDER BY a.worker
                """,
            arguments: arguments
        ).map { sum in
            var row = ReportRow()
            row.name = try sum.checked("name")
            try Self.fillCounts(&row, from: sum)
            row.promptTokens = try WideColumn.sum(sum, "prompt") ?? 0
            row.cachedTokens = try WideColumn.sum(sum, "cached") ?? 0
            row.producedTokens = try WideColumn.sum(sum, "produced") ?? 0
            try Self.fillAttempts(&row, from: sum)
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

    private static let summary =
        "SELECT request.*, event.body AS end_body FROM request LEFT JOIN event ON event.sequence = ended_by"

    func summaries(id: RequestID) throws -> [RequestSummary] {
        let low = EntryName.key(requestID: id, tenant: "").prefix(16)
        return try Row.fetchAll(
            db,
            sql: """
                \(Self.summary)
                WHERE key >= :low AND key < :high AND (:tenant IS NULL OR tenant = :tenant) ORDER BY tenant
                """,
            arguments: ["low": Data(low), "high": Data(low) + [0xff, 0xff, 0xff, 0xff], "tenant": tenant]
        ).map(Self.summary(of:))
    }

    func summaries(label: String, limit: Int) throws -> [RequestSummary] {
        try Row.fetchAll(
            db,
            sql: """
                \(Self.summary)
                WHERE label = :label AND label <> '' AND tenant = :tenant ORDER BY request.id DESC LIMIT :limit
                """,
            arguments: ["label": label, "tenant": tenant ?? "", "limit": limit]
        ).map(Self.summary(of:))
    }

    private static func summary(of row: Row) throws -> RequestSummary {
        let end: Data? = try row.optional("end_body", Data.self)
        let status = UInt8(exactly: try row.checked("state", Int64.self)).flatMap(RequestStatus.init(rawValue:))
        return RequestSummary(
            requestID: RequestID(
                high: UInt64(bitPattern: try row.checked("id_high", Int64.self)),
                low: UInt64(bitPattern: try row.checked("id_low", Int64.self))),
            tenant: try row.checked("tenant"), label: try row.optional("label", String.self) ?? "",
            model: try row.checked("model"), status: status ?? .reserved,
            outcome: end.flatMap(EventBody.decode)?.outcome, openedAt: try row.checked("opened_at"),
            reserved: Money(nanodollars: Int128(try row.checked("reserved", Int64.self))),
            amount: Money(nanodollars: Int128(try row.checked("amount", Int64.self))),
            promptTokens: try row.checked("prompt"), cachedTokens: try row.checked("cached"),
            producedTokens: try row.checked("produced"), deliveredTokens: try row.checked("delivered"),
            billedTokens: try row.checked("billed"), wastedTokens: try row.checked("wasted"),
            attempts: try row.checked("attempts"))
    }

    private static func fillCounts(_ row: inout ReportRow, from sum: Row) throws {
        row.requests = try sum.checked("requests")
        row.reserved = try sum.checked("reserved")
        row.settled = try sum.checked("settled")
        row.void = try sum.checked("void")
        row.expired = try sum.checked("expired")
    }

    private static func fillAttempts(_ row: inout ReportRow, from sum: Row) throws {
        row.attempts = try sum.checked("attempts")
        row.lostAttempts = try sum.checked("lost")
        row.tokensAfterCancel = try WideColumn.sum(sum, "after_cancel") ?? 0
        row.measuredMicrojoules = try WideColumn.sum(sum, "measured")
        row.modelledMicrojoules = try WideColumn.sum(sum, "modelled")
        row.attemptsWithoutEnergy = try sum.checked("unknown")
    }
}
