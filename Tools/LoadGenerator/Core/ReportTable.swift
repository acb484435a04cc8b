import Foundation

/// A run's figures as text.
public struct ReportTable: CustomStringConvertible, Sendable {
    private let report: LoadReport
    private let ledger: LedgerCheck.Result?

    public init(_ report: LoadReport, ledger: LedgerCheck.Result?) {
        self.report = report
        self.ledger = ledger
    }

    public var description: String {
        var lines = [String]()
        lines.append("model      \(report.model)")
        lines.append("load       \(load)")
        lines.append(
            "requests   \(report.sent) sent, \(report.completed) complete, \(report.failed) failed, "
                + "\(report.short) short, in \(Self.number(report.duration)) s "
                + "(\(Self.number(report.rate(report.completed)))/s)")
        lines.append(
            "tokens     \(report.promptTokens) in (\(report.cachedTokens) cached), \(report.tokens) out: "
                + "\(Self.number(report.rate(report.tokens))) out/s, "
                + "\(Self.number(report.rate(report.tokens + report.promptTokens))) in all/s")
        if let ledger {
            lines.append(
                "ledger     \(ledger.agreed) settled with the same tokens, \(ledger.ended) failed and ended, "
                    + "\(ledger.faults.count) unaccounted")
        }
        lines += ["", row("ms", ["mean", "p50", "p90", "p99", "max"])]
        lines.append(row("TTFT", report.ttft))
        lines.append(row("ITL", report.itl))
        lines.append(row("TPOT", report.tpot))
        lines.append(row("latency", report.latency))
        if case .open = report.settings.arrival {
            lines.append(row("from send", report.serviceLatency))
            lines.append(row("send lag", report.sendLag))
        }
        lines += hopLines
        for (error, count) in report.errors.sorted(by: { $0.value > $1.value }).prefix(10) {
            lines.append("error      \(count) × \(error)")
        }
        for fault in ledger?.faults.prefix(10) ?? [] { lines.append("ledger     \(fault)") }
        return lines.joined(separator: "\n")
    }

    private var load: String {
        switch report.settings.arrival {
        case .closed(let streams): "closed loop, \(streams) streams"
        case .open(let rate):
            "open loop, \(Self.number(rate)) requests/s (Poisson); times count from when a request was due"
        }
    }

    private var hopLines: [String] {
        guard report.settings.wantsHops else { return [] }
        let hops = report.hops
        guard hops.count > 0 else { return ["", "hops       none came"] }
        var lines = [
            "", "hops of \(hops.count) requests, µs" + (hops.incomplete > 0 ? " (\(hops.incomplete) incomplete)" : ""),
        ]
        lines.append(
            Self.left("station", 18) + Self.left("phase", 13) + Self.left("part", 8)
                + columns(["mean", "p50", "p99", "max"]))
        for key in hops.keys {
            let values = hops[key]
            lines.append(
                Self.left(key.station, 18) + Self.left(key.phase, 13) + Self.left(key.part, 8)
                    + columns(micros(values)))
        }
        lines.append(
            Self.left("residual", 18) + Self.left("last-token", 13) + Self.left("", 8) + columns(micros(hops.residual)))
        return lines
    }

    private func micros(_ values: Distribution) -> [String] {
        [values.mean, values.percentile(50), values.percentile(99), values.maximum]
            .map { $0.map { Self.number($0 * 1000) } ?? "-" }
    }

    private func row(_ name: String, _ values: Distribution) -> String {
        let numbers = [
            values.mean, values.percentile(50), values.percentile(90), values.percentile(99), values.maximum,
        ]
        return row(name, numbers.map { $0.map(Self.number) ?? "-" })
    }

    private func row(_ name: String, _ cells: [String]) -> String { Self.left(name, 11) + columns(cells) }

    private func columns(_ cells: [String]) -> String {
        cells.map { String(repeating: " ", count: max(1, 11 - $0.count)) + $0 }.joined()
    }

    private static func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    /// Three digits or more.
    private static func number(_ value: Double) -> String {
        String(format: value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f", value)
    }
}
