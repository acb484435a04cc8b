import Foundation

/// How many damaged frames a run makes and from which seed; both can be set by the environment.
enum FuzzPlan {
    /// `TOKENFACTORY_FUZZ_SEED`, or another one in each run.
    static let seed =
        ProcessInfo.processInfo.environment["TOKENFACTORY_FUZZ_SEED"].flatMap { UInt64($0) }
        ?? UInt64.random(in: 1...UInt64(UInt32.max))

    /// `TOKENFACTORY_FUZZ_FRAMES`, or a million.
    static let frames =
        ProcessInfo.processInfo.environment["TOKENFACTORY_FUZZ_FRAMES"].flatMap { Int($0) } ?? 1_000_000

    /// The command that makes the same frames again.
    static func replay(_ seed: UInt64) -> String {
        "replay: TOKENFACTORY_FUZZ_SEED=\(seed) TOKENFACTORY_FUZZ_FRAMES=\(frames) swift test --filter WireTests"
    }
}
