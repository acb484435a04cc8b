/// What a step of a sweep says about one offered rate.
public struct RatePoint: Equatable, Sendable {
    /// Requests a second that the step was set to.
    public var rate: Double
    /// Requests a second that were due in the step's window, cancelled ones left out.
    public var offered: Double
    /// Complete answers a second in the window, moved on by the median latency.
    public var achieved: Double
    /// Share of the requests that met all objectives; nil without objectives.
    public var goodShare: Double?

    public init(rate: Double, offered: Double, achieved: Double, goodShare: Double? = nil) {
        self.rate = rate
        self.offered = offered
        self.achieved = achieved
        self.goodShare = goodShare
    }
}

/// The highest rate that a service keeps up with: achieved is at least 0.95 of offered and, where there are objectives,
/// at least 0.9 of the requests meet them all.
public enum Knee {
    public static let leastAchieved = 0.95
    public static let leastGood = 0.9

    /// Whether the service kept up.
    public static func holds(_ point: RatePoint) -> Bool {
        point.offered > 0 && point.achieved >= leastAchieved * point.offered && (point.goodShare ?? 1) >= leastGood
    }

    /// The highest of the rates that hold; nil: none does.
    public static func find(_ points: [RatePoint]) -> RatePoint? {
        points.filter(holds).max { $0.rate < $1.rate }
    }
}

/// Which rate to try next, to find the knee in few steps: doubles until a rate fails (or halves until one holds), then
/// halves the gap on a logarithmic scale until it is a tenth.
public struct KneeSearch: Sendable {
    private let first: Double
    private let mostSteps: Int

    /// - Parameters:
    ///   - first: the rate to begin with, requests a second.
    ///   - mostSteps: rates tried at most.
    public init(first: Double, mostSteps: Int = 24) {
        self.first = first
        self.mostSteps = mostSteps
    }

    /// The rate of the next step, after these; nil: the knee is known as well as it will be.
    public func next(after points: [RatePoint]) -> Double? {
        guard !points.isEmpty else { return first }
        guard points.count < mostSteps else { return nil }
        let held = Knee.find(points)?.rate
        let failed = points.filter { !Knee.holds($0) && $0.rate > held ?? 0 }.map(\.rate).min()
        switch (held, failed) {
        case (let held?, nil): return held * 2
        case (nil, let failed?): return failed / 2
        case (let held?, let failed?): return failed / held > 1.1 ? (held * failed).squareRoot() : nil
        case (nil, nil): return nil
        }
    }
}
