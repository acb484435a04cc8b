import Economics
import Foundation
public import Hummingbird
public import Keys
public import LedgerStore
import Station
import Wire

/// What accounting answers over HTTP besides health and metrics.
///
///     GET  /v1/requests/{id}           one request, by its 32 hexadecimal digits
///     GET  /v1/requests/{label}        the latest one that its client calls so
///     GET  /v1/requests?label={label}  the requests that their client calls so, the latest first
///     GET  /v1/report?by=tenant|model|worker
///     POST /v1/audits                  begins to check the whole ledger, unless that is under way
///     GET  /v1/audits                  the last audit's result, and whether one is under way
///     GET  /v1/audit                   the last result; begins an audit where there is none
///
/// With a key ring, a key of the scope *report* sees its tenant's rows, one of the scope *admin* all, and audits are for
/// *admin*. Reports run on threads of their own, a bounded number at once.
public struct LedgerRoutes: Sendable {
    private let store: LedgerStore
    private let keys: KeyRing?
    private let desk: ReportDesk
    private let audits: AuditDesk

    /// - Parameters:
    ///   - keys: nil where everybody who reaches the door may read all.
    ///   - auditGrace: nanoseconds after its end in which a request's attempts may still be on their way.
    public init(_ store: LedgerStore, keys: KeyRing? = nil, auditGrace: UInt64) {
        self.store = store
        self.keys = keys
        desk = ReportDesk()
        audits = AuditDesk(store.reader, grace: auditGrace)
    }

    /// What the asker may see.
    private enum View {
        case all
        case tenant(String)

        var tenant: String? {
            if case .tenant(let name) = self { name } else { nil }
        }
    }

    private func view(_ request: Request, mustBeAdmin: Bool = false) throws -> View {
        guard let keys else { return .all }
        let given = request.headers[.authorization] ?? ""
        guard given.hasPrefix("Bearer ") else {
            throw HTTPError(.unauthorized, message: "reports need a key: Authorization: Bearer KEY")
        }
        let key = String(given.dropFirst(7))
        let now = Int64(WallClock.now() / 1_000_000_000)
        if case .granted = keys.check(key, scope: .admin, now: now) { return .all }
        switch keys.check(key, scope: .report, now: now) {
        case .granted(let grant):
            guard !mustBeAdmin else { throw HTTPError(.forbidden, message: "this needs a key with the scope admin") }
            return .tenant(grant.tenant)
        case .forbidden: throw HTTPError(.forbidden, message: "the key has no scope for reports")
        case .expired: throw HTTPError(.unauthorized, message: "the key's time is over")
        case .unknown: throw HTTPError(.unauthorized, message: "the key is not known")
        }
    }

    /// The tenant of doors without keys.
    private static let openTenant = "default"

    public func add(to router: Router<BasicRequestContext>) {
        router.get("/v1/requests/:id") { request, context in
            let tenant = try view(request).tenant
            let asked = request.uri.queryParameters.get("tenant")
            let name = (context.parameters.get("id") ?? "").removingPercentEncoding ?? ""
            let found = try await desk.run {
                if let id = RequestID(name) {
                    let known = try store.reader.requests(id, tenant: tenant)
                    if !known.isEmpty { return known }
                }
                // What the client calls it, of doors without keys unless a tenant is named.
                return try store.reader.requests(labelled: name, tenant: tenant ?? asked ?? Self.openTenant)
            }
            guard let summary = found.first else {
                throw HTTPError(.notFound, message: "the ledger knows no request \(name)")
            }
            return try Self.json(RequestAnswer(summary))
        }
        router.get("/v1/requests") { request, _ in
            let asked = request.uri.queryParameters.get("tenant")
            guard let tenant = try view(request).tenant ?? asked else {
                throw HTTPError(.badRequest, message: "tenant says whose requests")
            }
            guard let label = request.uri.queryParameters.get("label"), !label.isEmpty else {
                throw HTTPError(.badRequest, message: "label says what the client called the request")
            }
            let found = try await desk.run { try store.reader.requests(labelled: label, tenant: tenant) }
            return try Self.json(found.map { RequestAnswer($0) })
        }
        router.get("/v1/report") { request, _ in
            let tenant = try view(request).tenant
            let name = request.uri.queryParameters.get("by") ?? "tenant"
            guard let grouping = ReportGrouping(rawValue: name) else {
                throw HTTPError(.badRequest, message: "by is tenant, model or worker")
            }
            return try Self.json(
                ReportAnswer(try await desk.run { try store.reader.report(by: grouping, tenant: tenant) }))
        }
        router.post("/v1/audits") { request, _ in
            _ = try view(request, mustBeAdmin: true)
            audits.begin()
            return try Self.json(audits.answer, status: .accepted)
        }
        router.get("/v1/audits") { request, _ in
            _ = try view(request, mustBeAdmin: true)
            return try Self.json(audits.answer)
        }
        router.get("/v1/audit") { request, _ in
            _ = try view(request, mustBeAdmin: true)
            if audits.answer.passed == nil { audits.begin() }
            let answer = audits.answer
            return try Self.json(answer, status: answer.passed == nil ? .accepted : .ok)
        }
    }

    private static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        let data = try encoder.encode(value)
        return Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: data)))
    }
}

private struct RequestAnswer: Encodable {
    var requestID: String
    var label: String
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
    var amountNanodollars: Int128

    init(_ summary: RequestSummary) {
        requestID = "\(summary.requestID)"
        label = summary.label
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
        var promptTokens: Int128
        var producedTokens: Int128
        var deliveredTokens: Int128?
        var billedTokens: Int128?
        var amountNanodollars: Int128?

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
