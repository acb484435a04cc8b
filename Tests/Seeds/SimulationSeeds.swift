import Foundation

/// Which seeds a simulation's test runs: some from 1 on, or those that the environment asks for.
package struct SimulationSeeds: Sequence {
    package let count: UInt64
    private let first: UInt64

    /// - Parameter runs: How many, unless `TOKENFACTORY_SIM_RUNS` says otherwise; `TOKENFACTORY_SIM_SEED` is the first.
    package init(runs: UInt64) {
        first = Self.setting("TOKENFACTORY_SIM_SEED") ?? 1
        count = Self.setting("TOKENFACTORY_SIM_RUNS") ?? runs
    }

    package func makeIterator() -> Range<UInt64>.Iterator { (first..<(first + count)).makeIterator() }

    /// The command that runs one seed again.
    package static func replay(_ seed: UInt64, filter: String) -> String {
        "TOKENFACTORY_SIM_SEED=\(seed) TOKENFACTORY_SIM_RUNS=1 swift test --filter \(filter)"
    }

    private static func setting(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }
}
