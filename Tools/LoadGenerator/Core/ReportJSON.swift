import Foundation

/// A run's figures as JSON, with the names that `vllm bench serve` uses where it has them, and InferenceX's
/// (SemiAnalysisAI/InferenceX, utils/process_result.py) for what it makes of those.
public struct ReportJSON: Sendable {
    private let report: LoadReport
    private let ledger: LedgerCheck.Result?
    private let isDetailed: Bool

    /// - Parameter isDetailed: with lists of what each request came to, as vLLM's `--save-detailed`.
    public init(_ report: LoadReport, ledger: LedgerCheck.Result?, isDetailed: Bool = false) {
        self.report = report
        self.ledger = ledger
        self.isDetailed = isDetailed
    }

    /// Pretty-printed, keys sorted, with a newline at the end.
    public func text() throws -> String { try Self.text(object) }

    static func text(_ object: [String: Any]) throws -> String {
        let data = try JSONSerialization.data(withJSONObject: object, options: [.prettyPrinted, .sortedKeys])
        return String(decoding: data, as: UTF8.self) + "\n"
    }

    /// JSON's null.
    static var null: Any { NSNull() }

    static func object(_ ledger: LedgerCheck.Result) -> [String: Any] {
        ["agreed": ledger.agreed, "ended": ledger.ended, "faults": ledger.faults]
    }

    var object: [String: Any] {
        var object: [String: Any] = [
            "model_id": report.model, "duration": report.duration, "num_prompts": report.sent,
            "completed": report.completed, "failed": report.failed, "refused": report.refused,
            "cancelled": report.cancelled, "short": report.short, "total_input_tokens": report.promptTokens,
            "total_cached_tokens": report.cachedTokens, "total_output_tokens": report.tokens,
            "request_throughput": report.requestThroughput, "output_throughput": report.outputThroughput,
            "total_token_throughput": report.totalThroughput, "offered_rate": report.offeredRate,
            "errors": report.errors, "token_mismatches": report.mismatches,
            "connections_redialled": report.redials, "answers_without_usage": report.uncounted,
            "seed": report.settings.seed,
            "generator_cpu_seconds": report.processSeconds,
            "generator_limit": report.generatorLimit ?? NSNull(),
            "max_concurrent_requests": Timeline.mostUnderWay(report.log.records),
            "max_output_tokens_per_s": mostTokens,
        ]
        if report.windowTokens > 0 {
            object["deliveries_per_token"] = Double(report.windowDeliveries) / Double(report.windowTokens)
        }
        object.merge(arrival) { $1 }
        if report.settings.hasObjectives {
            object["request_goodput"] = report.goodput ?? NSNull()
            object["goodput_share"] = report.goodShare ?? NSNull()
            object["goodput_config"] = report.settings.goodputText
        }
        if report.settings.warmup != nil {
            object["window"] =
                [
                    "from_s": Double(report.window.lowerBound - report.startedAt) / 1e9,
                    "to_s": Double(report.window.upperBound - report.startedAt) / 1e9,
                    "begun": report.begun, "completed": report.windowCompleted, "output_tokens": report.windowTokens,
                ] as [String: Any]
        }
        object.merge(times) { $1 }
        object.merge(inferenceX) { $1 }
        if report.settings.wantsHops { object["hops"] = hops }
        if let ledger { object["ledger"] = Self.object(ledger) }
        if isDetailed { object.merge(details) { $1 } }
        return object
    }

    private var arrival: [String: Any] {
        switch report.settings.arrival {
        case .closed(let streams):
            return ["max_concurrency": streams, "request_rate": "inf", "latency_from": "sent"]
        case .open(let pattern):
            var object: [String: Any] = [
                "request_rate": pattern.rate ?? NSNull(), "latency_from": "intended",
                "arrival": pattern.description,
            ]
            switch pattern {
            case .poisson: object["burstiness"] = 1.0
            case .gamma(_, let burstiness): object["burstiness"] = burstiness
            case .ramp(let from, let to, _):
                object["ramp_up_strategy"] = "linear"
                object["ramp_up_start_rps"] = from
                object["ramp_up_end_rps"] = to
            case .constant, .trace: break
            }
            return object
        }
    }

    private var times: [String: Any] {
        var object: [String: Any] = [:]
        let distributions = [
            "ttft": report.ttft, "tpot": report.tpot, "itl": report.itl, "e2el": report.latency,
            "service_ttft": report.serviceTTFT, "service_e2el": report.serviceLatency, "send_lag": report.sendLag,
        ]
        for (name, values) in distributions {
            object["mean_\(name)_ms"] = values.mean ?? NSNull()
            object["median_\(name)_ms"] = values.percentile(50) ?? NSNull()
            object["std_\(name)_ms"] = values.standardDeviation ?? NSNull()
            for (percent, title) in Self.percentiles {
                object["p\(title)_\(name)_ms"] = values.percentile(percent) ?? NSNull()
            }
            object["max_\(name)_ms"] = values.maximum ?? NSNull()
        }
        return object
    }

    /// Interactivity, tokens a second of one user, is 1000 by the TPOT in ms; rates are for each accelerator.
    private var inferenceX: [String: Any] {
        var object: [String: Any] = [:]
        if case .closed(let streams) = report.settings.arrival { object["conc"] = streams }
        func interactivity(_ tpot: Double?) -> Any { tpot.flatMap { $0 > 0 ? 1000 / $0 : nil } ?? Self.null }
        object["mean_intvty"] = interactivity(report.tpot.mean)
        object["median_intvty"] = interactivity(report.tpot.percentile(50))
        for (percent, title) in Self.percentiles {
            object["p\(title)_intvty"] = interactivity(report.tpot.percentile(percent))
        }
        if let accelerators = report.settings.accelerators.map(Double.init) {
            object["tput_per_gpu"] = report.totalThroughput / accelerators
            object["output_tput_per_gpu"] = report.outputThroughput / accelerators
            object["input_tput_per_gpu"] = (report.totalThroughput - report.outputThroughput) / accelerators
        }
        return object
    }

    private static let percentiles = [(50.0, "50"), (90, "90"), (95, "95"), (99, "99"), (99.9, "99.9")]

    /// Of all whole seconds of the run, the most tokens.
    private var mostTokens: Double {
        let seconds = max(1, Int(report.duration.rounded(.up)))
        let end = report.startedAt + UInt64(seconds) * 1_000_000_000
        let bins = Timeline(report.log.records, from: report.startedAt, to: end, count: seconds).bins
        return bins.map(\.tokens).max() ?? 0
    }

    /// In the order of the requests; times in seconds, as vLLM has them.
    private var details: [String: Any] {
        let log = report.log
        let records = log.records.sorted { $0.index < $1.index }
        func since(_ time: UInt64, _ record: RequestLog.Record) -> Double {
            time > record.intendedAt ? Double(time - record.intendedAt) / 1e9 : 0
        }
        return [
            "input_lens": records.map { Int($0.promptTokens) },
            "output_lens": records.map { Int($0.tokens) },
            "ttfts": records.map { since($0.firstAt, $0) },
            "latencies": records.map { since($0.endedAt, $0) },
            "itls": records.map { record in
                log.gaps[record.gapsAt..<(record.gapsAt + Int(record.gapCount))].map { Double($0) / 1000 }
            },
            "start_times": records.map { Double($0.intendedAt &- report.startedAt) / 1e9 },
            "queue_times": records.map { since($0.sentAt, $0) },
            "outcomes": records.map { "\($0.fate)" },
        ]
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
