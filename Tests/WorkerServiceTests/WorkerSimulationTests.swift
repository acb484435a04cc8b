import Seeds
import Testing

struct WorkerSimulationTests {
    @Test func everySeedKeepsEveryRule() throws {
        let seeds = SimulationSeeds(runs: 150)
        var coverage = WorkerSimulation.Coverage()
        for seed in seeds {
            var simulation = try WorkerSimulation(seed: seed)
            do { try simulation.run() } catch { Issue.record("\(error)") }
            coverage += simulation.coverage
        }
        print("\(seeds.count) lives of a worker: \(coverage)")
        guard seeds.count >= 100 else { return }
        #expect(coverage.finished > 100)
        #expect(coverage.cancelled > 100)
        #expect(coverage.handedBack > 20)
        #expect(coverage.lost > 20)
        #expect(coverage.fullDisks > 100)
        #expect(coverage.drained > 20)
    }

    @Test(arguments: WorkerBench.Sabotage.allCases)
    func aPlantedFaultIsFound(_ sabotage: WorkerBench.Sabotage) throws {
        for seed in UInt64(1)...40 {
            var simulation = try WorkerSimulation(seed: seed, sabotage: sabotage)
            do {
                try simulation.run()
            } catch {
                return print("\(sabotage): found after \(seed) seeds: \(error)")
            }
        }
        Issue.record("40 seeds with \(sabotage) broke no rule")
    }
}

extension WorkerSimulation.Coverage {
    static func += (left: inout Self, right: Self) {
        left.finished += right.finished
        left.cancelled += right.cancelled
        left.handedBack += right.handedBack
        left.lost += right.lost
        left.fullDisks += right.fullDisks
        left.drained += right.drained
    }
}
