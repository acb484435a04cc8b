import Economics
import Foundation
public import Hummingbird
public import LedgerStore
import Wire

/// What accounting answers over HTTP besides health and metrics.
///
///     GET /v1/requests/{id}    one request, by its 32 hexadecimal digits
///     GET /v1/report?by=tenant|model|worker
///     GET /v1/audit            the whole ledger, checked
public struct LedgerRoutes: Sendable {
    private let store: LedgerStore

    public init(_ store: LedgerStore) { self.store = store }

    public func add(to router: Router<BasicRequestContext>) {
        router.get("/v1/requests/:id") { _, context in
            guard let id = context.parameters.get("id").flatMap({ RequestID($0) }) else {
                throw HTTPError(.badRequest, message: "a request id is 32 hexadecimal digits")
            }
            guard let summary = try store.reader.requests(id).first else {
                throw HTTPError(.notFound, message: "the ledger knows no request \(id)")
            }
            return try Self.json(RequestAnswer(summary))
        }
        router.get("/v1/report") { request, _ in
            let name = request.uri.queryParameters.get("by") ?? "tenant"
            guard let grouping = ReportGrouping(rawValue: name) else {
                throw HTTPError(.badRequest, message: "by is tenant, model or worker")
            }
            return try Self.json(ReportAnswer(store.reader.report(by: grouping)))
        }
        router.get("/v1/audit") { _, _ in
            let result = try store.reader.audit()
            return try Self.json(
                AuditAnswer(passed: result.passed, findings: result.findings.map(\.description)))
        }
    }

    private static func json(_ value: some Encodable) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        let data = try encoder.encode(value)
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: data)))
    }
}

private struct RequestAnswer: Encodable {
    var requestID: String
    var tenant: String
    var model: String
    var state: String
    var outcome: String?
    var promptTokens: Int64
    var cachedTokens: Int64
    var producedTokens: Int64
    var deliveredTokens: Int64
    var billedTokens: Int64
    var wastedTokens: Int64
    var attempts: Int64
    var amountNanodollars: Int64

    init(_ summary: RequestSummary) {
        requestID = "\(summary.requestID)"
        tenant = summary.tenant
        model = summary.model
        state = "\(summary.status)"
        outcome = summary.outcome.map { "\($0)" }
        promptTokens = summary.promptTokens
        cachedTokens = summary.cachedTokens
        producedTokens = summary.producedTokens
        deliveredTokens = summary.deliveredTokens
        billedTokens = summary.billedTokens
        wastedTokens = summary.wastedTokens
        attempts = summary.attempts
        amountNanodollars = summary.amount.nanodollars
    }
}

private struct ReportAnswer: Encodable {
    struct Row: Encodable {
        var name: String
        var requests: Int64
        var settled: Int64
        var void: Int64
        var expired: Int64
        var promptTokens: Int64
        var producedTokens: Int64
        var deliveredTokens: Int64?
        var billedTokens: Int64?
        var amountNanodollars: Int64?

        init(_ row: ReportRow) {
            name = row.name
            requests = row.requests
            settled = row.settled
            void = row.void
            expired = row.expired
            promptTokens = row.promptTokens
            producedTokens = row.producedTokens
            deliveredTokens = row.deliveredTokens
            billedTokens = row.billedTokens
            amountNanodollars = row.amount?.nanodollars
        }
    }

    var by: String
    var rows: [Row]
    var total: Row

    init(_ report: Report) {
        by = report.grouping.rawValue
        rows = report.rows.map { Row($0) }
        total = Row(report.total)
    }
}

private struct AuditAnswer: Encodable {
    var passed: Bool
    var findings: [String]
}
