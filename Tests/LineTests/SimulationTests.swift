import Seeds
import Testing

@Suite struct SimulationTests {
    @Test func `Every seed keeps every rule`() {
        let seeds = SimulationSeeds(runs: 250)
        var statistics = SimulationStatistics()
        var events = 0
        for seed in seeds {
            var simulation = Simulation(seed: seed)
            do {
                try simulation.run()
            } catch {
                Issue.record("\(error)")
            }
            statistics += simulation.statistics
            events += simulation.events
        }
        print("\(seeds.count) runs, \(events) events: \(statistics)")
        // Runs that never reach what they are to check would pass for the wrong reason.
        if seeds.count >= 100 {
            #expect(statistics.finished > 100)
            #expect(statistics.cancelled > 10)
            #expect(statistics.lost > 10)
            #expect(statistics.handedBack > 10)
            #expect(statistics.drained > 10)
            #expect(statistics.recalls > 10)
            #expect(statistics.renewals > 10)
            #expect(statistics.shutWindows > 10)
            #expect(statistics.gaps > 10)
            #expect(statistics.hungEngines > 10)
            #expect(statistics.probes > 10)
        }
    }

    @Test func `The same seed makes the same run`() throws {
        var first = Simulation(seed: 7)
        var second = Simulation(seed: 7)
        try first.run()
        try second.run()
        #expect(first.events == second.events)
        #expect(first.now == second.now)
    }

    @Test(arguments: [
        (SimulationConfiguration.Sabotage.swallowCredit, [SimulationFailure.Rule.requestsEnd]),
        (.swallowRecallAck, [.protocolKept, .requestsEnd, .creditStranded]),
        (.inflateCredit, [.creditConserved, .protocolKept]),
        (.resubmitFinished, [.leaseEndsOnce]),
        (.swapHandles, [.wrongHandle]),
        (.keepOrphans, [.endedSessionHeld, .requestsEnd]),
        (.forgetFinish, [.requestsEnd]),
    ])
    func `A planted bug is found`(
        sabotage: SimulationConfiguration.Sabotage, rules: [SimulationFailure.Rule]
    ) {
        for seed in UInt64(1)...60 {
            var simulation = Simulation(seed: seed, sabotage: sabotage)
            do {
                try simulation.run()
            } catch {
                #expect(rules.contains(error.rule), "\(error)")
                return
            }
        }
        Issue.record("60 runs with \(sabotage) broke no rule")
    }
}
