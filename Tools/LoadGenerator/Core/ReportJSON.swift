import Foundation

/// A run's figures as JSON, with the names that `vllm bench serve` uses where it has them.
public struct ReportJSON: Sendable {
    private let report: LoadReport
    private let ledger: LedgerCheck.Result?

    public init(_ report: LoadReport, ledger: LedgerCheck.Result?) {
        self.report = report
        self.ledger = ledger
    }

    /// Pretty-printed, keys sorted, with a newline at the end.
    public func text() throws -> String {
        let data = try JSONSerialization.data(withJSONObject: object, options: [.prettyPrinted, .sortedKeys])
        return String(decoding: data, as: UTF8.self) + "\n"
    }

    private var object: [String: Any] {
        var object: [String: Any] = [
            "model_id": report.model,
            "duration": report.duration,
            "num_prompts": report.sent,
            "completed": report.completed,
            "failed": report.missing,
            "short": report.short,
            "total_input_tokens": report.promptTokens,
            "total_cached_tokens": report.cachedTokens,
            "total_output_tokens": report.tokens,
            "request_throughput": report.rate(report.completed),
            "output_throughput": report.rate(report.tokens),
            "total_token_throughput": report.rate(report.tokens + report.promptTokens),
            "errors": report.errors,
        ]
        switch report.settings.arrival {
        case .closed(let streams):
            object["max_concurrency"] = streams
            object["request_rate"] = "inf"
            object["latency_from"] = "sent"
        case .open(let rate):
            object["request_rate"] = rate
            object["burstiness"] = 1.0
            object["latency_from"] = "intended"
        }
        let distributions = [
            "ttft": report.ttft, "tpot": report.tpot, "itl": report.itl, "e2el": report.latency,
            "service_e2el": report.serviceLatency, "send_lag": report.sendLag,
        ]
        for (name, values) in distributions {
            object["mean_\(name)_ms"] = values.mean ?? NSNull()
            object["median_\(name)_ms"] = values.percentile(50) ?? NSNull()
            object["std_\(name)_ms"] = values.standardDeviation ?? NSNull()
            for percent in [50, 90, 95, 99] {
                object["p\(percent)_\(name)_ms"] = values.percentile(Double(percent)) ?? NSNull()
            }
            object["max_\(name)_ms"] = values.maximum ?? NSNull()
        }
        if report.settings.wantsHops { object["hops"] = hops }
        if let ledger {
            object["ledger"] =
                ["agreed": ledger.agreed, "ended": ledger.ended, "faults": ledger.faults] as [String: Any]
        }
        return object
    }

    private var hops: [String: Any] {
        let table = report.hops
        return [
            "requests": table.count, "incomplete": table.incomplete,
            "residual_us": Self.micros(table.residual),
            "stretches": table.keys.map { key in
                ["station": key.station, "phase": key.phase, "part": key.part, "us": Self.micros(table[key])]
                    as [String: Any]
            },
        ]
    }

    private static func micros(_ values: Distribution) -> [String: Any] {
        func micros(_ milliseconds: Double?) -> Any { milliseconds.map { $0 * 1000 } ?? NSNull() }
        return [
            "mean": micros(values.mean), "p50": micros(values.percentile(50)), "p90": micros(values.percentile(90)),
            "p99": micros(values.percentile(99)), "max": micros(values.maximum),
        ]
    }
}
