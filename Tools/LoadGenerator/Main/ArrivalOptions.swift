import ArgumentParser
import LoadGenerator

/// When requests are sent.
struct ArrivalOptions: ParsableArguments {
    enum Kind: String, ExpressibleByArgument, CaseIterable { case poisson, constant }
    enum TraceKind: String, ExpressibleByArgument, CaseIterable {
        case mooncake, azure, burstgpt

        var format: Trace.Format {
            switch self {
            case .mooncake: .mooncake
            case .azure: .azure
            case .burstgpt: .burstgpt
            }
        }
    }

    @Option(help: "Closed loop: so many streams.")
    var streams: Int?
    @Option(help: "Open loop: so many requests a second on average.")
    var rate: Double?
    @Option(help: "Open loop: poisson or constant.")
    var arrival = Kind.poisson
    @Option(help: "Open loop: gamma-distributed gaps of this shape; below 1 is burstier than Poisson (as vLLM).")
    var burstiness: Double?
    @Option(help: "Open loop: the rate to begin with, which changes to --ramp-to over --duration (default 30 s).")
    var rampFrom: Double?
    @Option(help: "Open loop: the rate to end with.")
    var rampTo: Double?
    @Option(help: "Open loop: replay a trace's times, prompt and answer lengths.")
    var trace: String?
    @Option(help: "The trace's format: mooncake, azure or burstgpt.")
    var traceFormat: TraceKind?
    @Option(help: "Replay so many times as fast.")
    var traceSpeed = 1.0
    @Option(help: "Requests in all.")
    var requests: Int?
    @Option(help: "Seconds in which requests are sent.")
    var duration: Double?

    @Flag(help: "Open loop: find the highest rate that is kept up with, in steps of --duration (default 10 s) each.")
    var sweep = false
    @Option(help: "Sweep these rates instead, R,R,…")
    var sweepRates: String?
    @Flag(help: "Sweep from 0.1 to 2.5 times that rate as well.")
    var sweepAround = false

    var isSweep: Bool { sweep || sweepRates != nil || sweepAround }
    private var isRamp: Bool { rampFrom != nil || rampTo != nil }

    func validate() throws {
        try Positive.check("--streams", streams)
        try Positive.check("--requests", requests)
        try Positive.check("--rate", rate)
        try Positive.check("--duration", duration)
        try Positive.check("--burstiness", burstiness)
        try Positive.check("--ramp-from", rampFrom)
        try Positive.check("--ramp-to", rampTo)
        try Positive.check("--trace-speed", traceSpeed)
        if streams != nil, rate != nil { throw ValidationError("Give --streams or --rate, not both.") }
        let ways = [streams != nil, rate != nil, isRamp, trace != nil].count { $0 }
        guard ways <= 1 else {
            throw ValidationError("Give one of --streams, --rate, --ramp-from and --ramp-to, --trace.")
        }
        if isRamp, rampFrom == nil || rampTo == nil { throw ValidationError("Give --ramp-from and --ramp-to.") }
        if trace != nil, traceFormat == nil { throw ValidationError("Say by --trace-format what the trace is.") }
        if isSweep {
            if streams != nil || isRamp || trace != nil {
                throw ValidationError("A sweep sets the rate of an open loop: no --streams, --ramp-…, --trace.")
            }
            if requests != nil { throw ValidationError("A sweep's steps are bounded by --duration, not --requests.") }
        }
        if burstiness != nil, arrival == .constant { throw ValidationError("Constant arrivals have no --burstiness.") }
        if burstiness != nil || arrival == .constant, rate == nil, !isSweep {
            throw ValidationError("--burstiness and --arrival need --rate or --sweep.")
        }
        _ = try rates
    }

    private var rates: [Double] {
        get throws {
            guard let sweepRates else { return [] }
            return try sweepRates.split(separator: ",").map { text in
                guard let rate = Double(text), rate > 0, rate.isFinite else {
                    throw ValidationError("--sweep-rates: '\(text)' is no rate.")
                }
                return rate
            }
        }
    }

    func plan() throws -> LoadSweep.Plan? {
        guard isSweep else { return nil }
        let rates = try rates
        return rates.isEmpty ? .search(from: rate ?? 8) : .rates(rates)
    }

    /// Seconds in which requests are sent, with the defaults of what is asked for.
    var seconds: Double? { duration ?? (isSweep ? 10 : isRamp ? 30 : nil) }

    func settings(_ trace: Trace?) -> LoadSettings {
        var settings = LoadSettings(arrival: kind(trace), requests: requests, duration: seconds)
        if requests == nil, duration == nil, case .closed(let streams) = settings.arrival {
            settings.requests = streams
        }
        settings.requestObjectives = trace?.objectives ?? []
        return settings
    }

    private func kind(_ trace: Trace?) -> LoadSettings.Arrival {
        if let trace { return .open(trace.arrivals) }
        if let rampFrom, let rampTo { return .open(.ramp(from: rampFrom, to: rampTo, seconds: seconds ?? 30)) }
        guard rate != nil || isSweep else { return .closed(streams: streams ?? 1) }
        let rate = rate ?? 8
        if let burstiness { return .open(.gamma(rate: rate, burstiness: burstiness)) }
        return .open(arrival == .constant ? .constant(rate: rate) : .poisson(rate: rate))
    }

    func readTrace() throws -> Trace? {
        guard let trace, let traceFormat else { return nil }
        return try Trace(path: trace, format: traceFormat.format, speed: traceSpeed)
    }

    /// HTTP connections at once: an open loop has no bound of its own on what is under way.
    var mostConnections: Int {
        rate == nil && !isRamp && trace == nil && !isSweep ? streams ?? 1 : 65_536
    }
}
