import Economics
public import Formats
public import Ledger

/// Reports and audits as an operator reads them.
public enum LedgerView {
    /// A report's table, its sum in the last line.
    public static func table(_ report: Report) -> TextTable {
        func cell(_ value: Int128?) -> String { value.map { "\($0)" } ?? "-" }
        func row(_ row: ReportRow, _ name: String) -> [String] {
            [
                name, "\(row.requests)", "\(row.settled)", "\(row.void)", "\(row.expired)", "\(row.reserved)",
                "\(row.promptTokens)", "\(row.cachedTokens)", "\(row.producedTokens)", cell(row.deliveredTokens),
                cell(row.billedTokens), cell(row.wastedTokens), row.amount.map { "\($0)" } ?? "-", joules(row),
            ]
        }
        return TextTable(
            [
                report.grouping.rawValue, "requests", "settled", "void", "expired", "open", "prompt", "cached",
                "produced", "delivered", "billed", "wasted", "USD", "joules",
            ],
            report.rows.map { row($0, $0.name.isEmpty ? "(none)" : $0.name) } + [row(report.total, "total")],
            rightAligned: Set(1...13))
    }

    /// Single requests, a line each.
    public static func table(_ requests: [RequestSummary]) -> TextTable {
        TextTable(
            ["request", "model", "state", "outcome", "prompt", "delivered", "billed", "USD"],
            requests.map { request in
                [
                    "\(request.requestID)", request.model, "\(request.status)",
                    request.outcome.map { "\($0)" } ?? "-", "\(request.promptTokens)", "\(request.deliveredTokens)",
                    "\(request.billedTokens)", "\(request.amount)",
                ]
            }, rightAligned: Set(4...7))
    }

    /// Energy is null where nobody knows it, never 0.
    private static func joules(_ row: ReportRow) -> String {
        var parts: [String] = []
        if let measured = row.measuredMicrojoules { parts.append("\(text(measured)) measured") }
        if let modelled = row.modelledMicrojoules { parts.append("\(text(modelled)) modelled") }
        if parts.isEmpty { return row.attempts > 0 ? "null (no meter)" : "null (no attempt)" }
        if row.attemptsWithoutEnergy > 0 { parts.append("\(row.attemptsWithoutEnergy) attempts without") }
        return parts.joined(separator: ", ")
    }

    /// Joules with three decimals, from micro-joules.
    private static func text(_ microjoules: Int128) -> String {
        let thousandths = microjoules / 1000
        let fraction = String(thousandths.magnitude % 1000)
        let sign = thousandths < 0 ? "-" : ""
        return "\(sign)\(thousandths.magnitude / 1000).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)"
    }

    /// What an audit found.
    public static func text(_ audit: AuditResult) -> String {
        let counts = audit.counts
        var lines = [
            "audit      \(audit.passed ? "passed" : "FAILED: \(audit.violations) violations")",
            "log        \(counts.events) rows, \(audit.checkpoints) checkpoints, \(audit.gaps) gaps, "
                + "\(counts.conflicts) conflicts",
            "requests   \(counts.requests): \(counts.settled) settled, \(counts.void) void, "
                + "\(counts.expired) expired, \(counts.reserved) open",
            "tokens     \(audit.producedTokens) produced, \(audit.deliveredTokens) delivered, "
                + "\(audit.billedTokens) billed, \(audit.wastedTokens) wasted",
            "pending    \(audit.pendingRequests) requests",
        ]
        lines += audit.findings.map { "\($0)" }
        if audit.omitted > 0 { lines.append("and \(audit.omitted) findings more") }
        lines += audit.pending.map { "\($0)" }
        let more = audit.pendingRequests - audit.pending.count
        if more > 0 { lines.append("and \(more) pending requests more") }
        return lines.joined(separator: "\n")
    }
}
