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
        var lines = ["model      \(report.model)", "load       \(report.settings.arrival)", requests, tokens]
        if let window { lines.append(window) }
        if let goodput = report.goodput {
            let share = report.goodShare.map { Figure.short($0 * 100) + " %" } ?? "-"
            lines.append(
                "goodput    \(Figure.short(goodput)) requests/s met \(report.settings.goodputText): \(share) of "
                    + "\(report.judged)")
        }
        if let ledger {
            lines.append(
                "ledger     \(ledger.agreed) settled with the same tokens, \(ledger.ended) "
                    + (report.cancelled > 0 ? "failed or cancelled" : "failed")
                    + " and ended, \(ledger.faults.count) unaccounted")
        }
        lines += ["", row("ms", ["n", "mean", "p50", "p90", "p99", "max"])]
        lines.append(row("TTFT", report.ttft))
        lines.append(row("ITL", report.itl))
        lines.append(row("TPOT", report.tpot))
        lines.append(row("latency", report.latency))
        if case .open = report.settings.arrival {
            lines.append(row("from send", report.serviceLatency))
            lines.append(row("send lag", report.sendLag))
        }
        lines += hopLines + notes
        return lines.joined(separator: "\n")
    }

    private var requests: String {
        var text = "requests   \(report.sent) sent, \(report.completed) complete, \(report.failed) failed, "
        if report.refused > 0 { text += "\(report.refused) refused (busy), " }
        if report.cancelled > 0 { text += "\(report.cancelled) cancelled, " }
        return text + "\(report.short) short, in \(Figure.short(report.duration)) s "
            + "(\(Figure.short(report.requestThroughput))/s)"
    }

    private var tokens: String {
        "tokens     \(report.promptTokens) in (\(report.cachedTokens) cached), \(report.tokens) out: "
            + "\(Figure.short(report.outputThroughput)) out/s, \(Figure.short(report.totalThroughput)) in all/s"
    }

    private var window: String? {
        guard report.settings.warmup != nil else { return nil }
        let from = Double(report.window.lowerBound - report.startedAt) / 1e9
        let to = Double(report.window.upperBound - report.startedAt) / 1e9
        guard to > from else { return "window     empty: the run was too short for its warm-up" }
        return "window     from \(Figure.short(from)) s to \(Figure.short(to)) s; rates of what ended in it, times of "
            + "the \(report.begun) requests that began in it"
    }

    private var notes: [String] {
        var lines: [String] = []
        if report.uncounted > 0 {
            lines.append(
                "note       \(report.uncounted) answers came without usage: each delivery counts as one token")
        }
        if report.redials > 0 {
            lines.append(
                "note       \(report.redials) kept connections had been ended by the server: dialled again, the time "
                    + "for it counts")
        }
        if let limit = report.generatorLimit {
            lines.append("note       the generator may have set the pace: \(limit)")
        }
        for (error, count) in report.errors.sorted(by: { $0.value > $1.value }).prefix(10) {
            lines.append("error      \(count) × \(error)")
        }
        for mismatch in report.mismatches.prefix(10) { lines.append("tokens     \(mismatch)") }
        for fault in ledger?.faults.prefix(10) ?? [] { lines.append("ledger     \(fault)") }
        return lines
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
            .map { Figure.short($0.map { $0 * 1000 }) }
    }

    private func row(_ name: String, _ values: Distribution) -> String {
        let numbers = [
            values.mean, values.percentile(50), values.percentile(90), values.percentile(99), values.maximum,
        ]
        return row(name, ["\(values.count)"] + numbers.map { Figure.short($0) })
    }

    private func row(_ name: String, _ cells: [String]) -> String { Self.left(name, 11) + columns(cells) }

    private func columns(_ cells: [String]) -> String { cells.map { Self.right($0, 11) }.joined() }

    static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(1, width - text.count)) + text
    }

    private static func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}

extension LoadSettings.Arrival: CustomStringConvertible {
    public var description: String {
        switch self {
        case .closed(let streams): "closed loop, \(streams) streams"
        case .open(let pattern): "open loop, \(pattern); times count from when a request was due"
        }
    }
}

extension ArrivalPattern: CustomStringConvertible {
    public var description: String {
        switch self {
        case .poisson(let rate): "\(Figure.short(rate)) requests/s (Poisson)"
        case .gamma(let rate, let burstiness):
            "\(Figure.short(rate)) requests/s (gamma, burstiness \(Figure.short(burstiness)))"
        case .constant(let rate): "\(Figure.short(rate)) requests/s (constant)"
        case .ramp(let from, let to, let seconds):
            "\(Figure.short(from)) to \(Figure.short(to)) requests/s in \(Figure.short(seconds)) s (Poisson)"
        case .trace(let offsets): "\(offsets.count) requests of a trace"
        }
    }
}
