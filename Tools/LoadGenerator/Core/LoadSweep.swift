/// Runs at several rates of an open loop, one after the other.
public struct LoadSweep: Sendable {
    /// Which rates.
    public enum Plan: Equatable, Sendable {
        /// These, requests a second.
        case rates([Double])
        /// Those that find the knee, beginning with this one.
        case search(from: Double)
    }

    /// A rate and what came of it.
    public struct Step: Sendable {
        public let rate: Double
        public let report: LoadReport
        public let point: RatePoint

        init(rate: Double, report: LoadReport) {
            self.rate = rate
            self.report = report
            point = RatePoint(
                rate: rate, offered: report.rate(report.judged), achieved: report.keptRate,
                goodShare: report.goodShare)
        }
    }

    /// Shares of the knee's rate that show how load and latency go together.
    public static let around = [0.1, 0.25, 0.5, 0.8, 1, 1.25, 1.5, 2, 2.5]
    /// A step's warm-up as a share of its duration, unless the settings say otherwise.
    public static let warmupShare = 0.25

    private let plan: Plan
    private let goesAround: Bool
    private let run: @Sendable (LoadSettings) async -> LoadReport

    /// - Parameters:
    ///   - goesAround: run at `around` times the knee when it is found.
    ///   - run: performs one step.
    public init(_ plan: Plan, goesAround: Bool = false, run: @escaping @Sendable (LoadSettings) async -> LoadReport) {
        self.plan = plan
        self.goesAround = goesAround
        self.run = run
    }

    /// Performs all steps.
    ///
    /// - Parameters:
    ///   - settings: of each step; their open arrival is taken at the step's rate, and their duration is a step's.
    ///   - onStep: called after each.
    public func perform(
        _ settings: LoadSettings, onStep: @Sendable (Step) -> Void = { _ in }
    ) async -> SweepReport {
        var steps: [Step] = []
        func step(_ rate: Double) async {
            var settings = settings
            settings.arrival = .open(settings.arrival.pattern(at: rate))
            settings.warmup = settings.warmup ?? Self.warmupShare * (settings.duration ?? 0)
            // Other arrivals and prompts than the step before, which the service may remember.
            settings.seed &+= UInt64(steps.count)
            let step = Step(rate: rate, report: await run(settings))
            steps.append(step)
            onStep(step)
        }
        switch plan {
        case .rates(let rates): for rate in rates { await step(rate) }
        case .search(let first):
            let search = KneeSearch(first: first)
            while let rate = search.next(after: steps.map(\.point)) { await step(rate) }
        }
        let knee = Knee.find(steps.map(\.point))
        if goesAround, let knee {
            for factor in Self.around where !steps.contains(where: { abs($0.rate / (factor * knee.rate) - 1) < 0.01 }) {
                await step(factor * knee.rate)
            }
        }
        return SweepReport(steps: steps.sorted { $0.rate < $1.rate }, knee: knee)
    }
}

extension LoadSettings.Arrival {
    /// The same kind of arrivals at another rate; Poisson where there is no kind with a rate.
    func pattern(at rate: Double) -> ArrivalPattern {
        guard case .open(let pattern) = self else { return .poisson(rate: rate) }
        return switch pattern {
        case .gamma(_, let burstiness): .gamma(rate: rate, burstiness: burstiness)
        case .constant: .constant(rate: rate)
        case .poisson, .ramp, .trace: .poisson(rate: rate)
        }
    }
}
