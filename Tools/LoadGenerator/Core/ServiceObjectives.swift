/// Bounds, in milliseconds, that an answer must meet to be good (DistServe, 2024); those that are nil bound nothing.
public struct ServiceObjectives: Equatable, Sendable {
    public var ttft: Double?
    public var tpot: Double?
    /// From begin to end.
    public var latency: Double?

    public init(ttft: Double? = nil, tpot: Double? = nil, latency: Double? = nil) {
        self.ttft = ttft
        self.tpot = tpot
        self.latency = latency
    }

    public var isEmpty: Bool { self == ServiceObjectives() }

    /// These bounds, and others' where there are none.
    func filled(from others: ServiceObjectives) -> ServiceObjectives {
        ServiceObjectives(ttft: ttft ?? others.ttft, tpot: tpot ?? others.tpot, latency: latency ?? others.latency)
    }

    /// Reads vLLM's `ttft:200`, `tpot:50`, `e2el:9000`, or a preset, `mlperf:NAME`.
    public init(_ words: [String]) throws(LoadError) {
        for word in words {
            let pair = word.split(separator: ":", maxSplits: 1).map(String.init)
            guard pair.count == 2 else { throw .badOption(text: word, reason: "is not NAME:MILLISECONDS") }
            if pair[0] == "mlperf" {
                guard let preset = Self.mlperf[pair[1]] else {
                    let names = Self.mlperf.keys.sorted().joined(separator: ", ")
                    throw .badOption(text: word, reason: "is none of MLPerf's: \(names)")
                }
                (ttft, tpot) = (preset.ttft, preset.tpot)
                continue
            }
            guard let bound = Double(pair[1]), bound > 0, bound.isFinite else {
                throw .badOption(text: word, reason: "'\(pair[1])' is no number of milliseconds")
            }
            switch pair[0] {
            case "ttft": ttft = bound
            case "tpot": tpot = bound
            case "e2el": latency = bound
            default: throw .badOption(text: word, reason: "'\(pair[0])' is none of ttft, tpot, e2el, mlperf")
            }
        }
    }

    /// TTFT and TPOT of MLPerf Inference's scenarios (mlcommons/inference_policies, inference_rules.adoc, 2026-07-23).
    /// There they bound the 99th percentile; here each answer is held to them.
    public static let mlperf: [String: ServiceObjectives] = [
        "llama3.1-8b-server": .init(ttft: 2000, tpot: 100),
        "llama3.1-8b-interactive": .init(ttft: 500, tpot: 30),
        "llama2-70b-server": .init(ttft: 2000, tpot: 200),
        "llama2-70b-interactive": .init(ttft: 450, tpot: 40),
        "llama3.1-405b-server": .init(ttft: 6000, tpot: 175),
        "llama3.1-405b-interactive": .init(ttft: 4500, tpot: 80),
        "deepseek-r1-server": .init(ttft: 2000, tpot: 80),
        "deepseek-r1-interactive": .init(ttft: 1500, tpot: 15),
        "gpt-oss-120b-server": .init(ttft: 3000, tpot: 80),
        "gpt-oss-120b-interactive": .init(ttft: 2000, tpot: 20),
    ]

    /// Whether a complete answer meets all. As vLLM does, an answer of one token has a TPOT of 0; one without a token
    /// has no TTFT to meet a bound with.
    func isMet(ttft: Double?, tpot: Double?, latency: Double) -> Bool {
        if let bound = self.ttft { guard let ttft, ttft <= bound else { return false } }
        if let bound = self.tpot, tpot ?? 0 > bound { return false }
        if let bound = self.latency, latency > bound { return false }
        return true
    }
}

extension ServiceObjectives: CustomStringConvertible {
    public var description: String {
        [("ttft", ttft), ("tpot", tpot), ("e2el", latency)]
            .compactMap { name, bound in
                bound.map { $0 == $0.rounded() && $0 < 1e15 ? "\(name):\(Int($0))" : "\(name):\($0)" }
            }.joined(separator: " ")
    }
}
