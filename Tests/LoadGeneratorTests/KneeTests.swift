import Synchronization
import Testing
import Wire

@testable import LoadGenerator

struct KneeTests {
    @Test func theKneeIsTheHighestRateThatHolds() {
        let points = [
            RatePoint(rate: 40, offered: 40, achieved: 30), .init(rate: 10, offered: 10, achieved: 9.9),
            .init(rate: 20, offered: 20, achieved: 19.1), .init(rate: 30, offered: 30, achieved: 28.4),
        ]
        #expect(Knee.find(points)?.rate == 20)
        #expect(Knee.find([points[0]]) == nil)
        #expect(Knee.find([]) == nil)
        #expect(!Knee.holds(.init(rate: 1, offered: 0, achieved: 0)))
        #expect(!Knee.holds(.init(rate: 10, offered: 10, achieved: 10, goodShare: 0.89)))
        #expect(Knee.holds(.init(rate: 10, offered: 10, achieved: 9.5, goodShare: 0.9)))
    }

    @Test(arguments: [0.3, 7, 137, 5000], [1.0, 64])
    func theSearchFindsTheKnee(capacity: Double, first: Double) throws {
        let search = KneeSearch(first: first)
        var points: [RatePoint] = []
        while let rate = search.next(after: points) {
            points.append(RatePoint(rate: rate, offered: rate, achieved: min(rate, capacity)))
        }
        let knee = try #require(Knee.find(points)).rate
        // Kept up with at 0.95 of offered.
        #expect(knee <= capacity / 0.95 && knee >= capacity / 0.95 / 1.1)
        #expect(points.count < 24)
    }

    @Test func aServiceWithoutAKneeEndsTheSearch() {
        let search = KneeSearch(first: 1, mostSteps: 9)
        var points: [RatePoint] = []
        while let rate = search.next(after: points) { points.append(.init(rate: rate, offered: rate, achieved: rate)) }
        #expect(points.count == 9)
    }

    @Test func aSweepGoesAroundItsKnee() async throws {
        let seeds = Mutex<[UInt64]>([])
        let sweep = LoadSweep(.search(from: 10), goesAround: true) { settings in
            seeds.withLock { $0.append(settings.seed) }
            return Self.served(settings, capacity: 33)
        }
        let report = await sweep.perform(LoadSettings(arrival: .open(rate: 10), duration: 20))
        let knee = try #require(report.knee)
        #expect(knee.rate > 30 && knee.rate < 36)
        #expect(report.steps.map(\.rate) == report.steps.map(\.rate).sorted())
        let most = try #require(report.steps.last).rate
        let least = try #require(report.steps.first).rate
        #expect(abs(most / knee.rate - 2.5) < 0.01 && abs(least / knee.rate - 0.1) < 0.01)
        #expect(Set(seeds.withLock { $0 }).count == report.steps.count)
        #expect(report.steps.allSatisfy { $0.report.settings.warmup == 5 })
        #expect(report.table.contains("knee       "))
        let json = try report.json(ledger: nil)
        #expect(json.contains("\"knee_rate\"") && json.contains("\"steps\""))
        #expect(LoadPage(report, ledger: nil, command: "loadgen").html().contains("<svg"))
    }

    /// Requests that are under way at the window's ends must not look like a backlog.
    @Test func latencyAloneIsNoBacklog() {
        var log = RequestLog()
        // Ten a second in the first half of the window, twenty in the second; each takes 3 s.
        let dues = (0..<50).map { 5 + Double($0) / 10 } + (0..<100).map { 10 + Double($0) / 20 }
        for (index, due) in dues.enumerated() {
            var outcome = LoadOutcome(index: index, id: RequestID(high: 1, low: UInt64(index)))
            outcome.intendedAt = UInt64(due * 1e9)
            outcome.sentAt = outcome.intendedAt
            outcome.endedAt = outcome.intendedAt + 3_000_000_000
            outcome.finish = "stop"
            log.add(outcome)
        }
        var settings = LoadSettings(arrival: .open(rate: 15), duration: 15)
        settings.warmup = 5
        let report = LoadReport(
            settings: settings, model: "m", log: log, startedAt: 0, steadyFrom: 0, steadyTo: 15_000_000_000)
        let step = LoadSweep.Step(rate: 15, report: report)
        #expect(report.requestThroughput < 10)
        #expect(step.point.offered == 15 && abs(step.point.achieved - 15) < 0.2 && Knee.holds(step.point))
    }

    @Test func givenRatesAreAllRun() async throws {
        let sweep = LoadSweep(.rates([20, 50, 10])) { Self.served($0, capacity: 15) }
        var settings = LoadSettings(arrival: .open(.constant(rate: 1)), duration: 10)
        settings.warmup = 1
        let report = await sweep.perform(settings)
        #expect(report.steps.map(\.rate) == [10, 20, 50])
        #expect(report.knee?.rate == 10)
        #expect(report.steps[0].report.settings.arrival == .open(.constant(rate: 10)))
        let none = await LoadSweep(.rates([20, 50])) { Self.served($0, capacity: 15) }.perform(settings)
        #expect(none.knee == nil && none.conclusion.contains("none"))
        #expect(try none.json(ledger: nil).contains("\"knee_rate\" : null"))
    }

    /// A server that answers so many a second, one after the other.
    private static func served(_ settings: LoadSettings, capacity: Double) -> LoadReport {
        guard case .open(let pattern) = settings.arrival, let rate = pattern.rate, let duration = settings.duration
        else { return LoadReport(settings: settings, model: "m", log: RequestLog(), startedAt: 0) }
        var log = RequestLog()
        var free = 0.0
        for index in 0..<Int(rate * duration) {
            let due = Double(index) / rate
            free = max(free, due) + 1 / capacity
            var outcome = LoadOutcome(index: index, id: RequestID(high: 1, low: UInt64(index)))
            outcome.intendedAt = UInt64(due * 1e9)
            outcome.sentAt = outcome.intendedAt
            outcome.delivered(at: UInt64(free * 1e9))
            outcome.endedAt = outcome.lastAt
            outcome.tokens = 1
            outcome.finish = "stop"
            log.add(outcome)
        }
        return LoadReport(
            settings: settings, model: "m", log: log, startedAt: 0, steadyFrom: 0, steadyTo: UInt64(duration * 1e9))
    }
}
