import Line

/// What a simulated run is like; drawn from its seed.
struct SimulationConfiguration {
    /// Faults that a run may contain.
    struct Faults: OptionSet {
        let rawValue: Int
        static let cut = Faults(rawValue: 1 << 0)
        static let silentLoss = Faults(rawValue: 1 << 1)
        static let blackHole = Faults(rawValue: 1 << 2)
        static let killWorker = Faults(rawValue: 1 << 3)
        static let killUpstream = Faults(rawValue: 1 << 4)
        static let pause = Faults(rawValue: 1 << 5)
        static let hang = Faults(rawValue: 1 << 6)
        static let drain = Faults(rawValue: 1 << 7)
        static let slots = Faults(rawValue: 1 << 8)
        static let links = Faults(rawValue: 1 << 9)
        static let cancel = Faults(rawValue: 1 << 10)
        static let close = Faults(rawValue: 1 << 11)
        static let probe = Faults(rawValue: 1 << 12)
        static let all = Faults(rawValue: (1 << 13) - 1)
        static let count = 13
    }

    /// A bug planted in the stations around the protocol, to show that the checks can fail.
    enum Sabotage {
        /// The worker forgets to send its grants.
        case swallowCredit
        /// The station above never acknowledges a recall.
        case swallowRecallAck
        /// A grant says more than was decided.
        case inflateCredit
        /// A finished work is submitted again.
        case resubmitFinished
        /// Two rows of a tray have changed places.
        case swapHandles
        /// Works of ended sessions stay in the engine.
        case keepOrphans
        /// The worker drops a last row.
        case forgetFinish
    }

    var upstreams: Int
    var workers: Int
    var slots: Int
    var window: UInt16
    var handlesPerSession: UInt32
    var faults: Faults
    var submissions: Int
    var faultPhase: UInt64
    var usesModels: Bool
    var sabotage: Sabotage?

    init(seed: UInt64, sabotage: Sabotage? = nil) {
        var random = SimulationRandom(seed: seed ^ 0x0c0f_fee0)
        upstreams = 1 + random.upTo(3)
        workers = 1 + random.upTo(3)
        slots = 1 + random.upTo(6)
        window = UInt16(1 + random.upTo(6))
        handlesPerSession = random.chance(40) ? UInt32(4 + random.upTo(12)) : 1 << 24
        // A third of the runs has every fault, the others a few kinds each, so that one does not hide another.
        var faults: Faults = []
        if random.chance(33) {
            faults = .all
        } else {
            for _ in 0..<(1 + random.upTo(4)) {
                faults.insert(Faults(rawValue: 1 << random.upTo(Faults.count)))
            }
        }
        self.faults = faults
        submissions = 20 + random.upTo(60)
        faultPhase = random.between(3, 8) * .second
        usesModels = random.chance(25)
        self.sabotage = sabotage
    }

    var settings: LineSettings {
        LineSettings(
            heartbeatInterval: 250 * .millisecond, silenceLimit: 1500 * .millisecond,
            stepAgeLimit: 1200 * .millisecond, trayWindow: window, waitingLimit: 30,
            handlesPerSession: handlesPerSession, helloTimeout: 400 * .millisecond, helloSpacing: 50 * .millisecond)
    }
}

extension UInt64 {
    static let millisecond: UInt64 = 1_000_000
    static let second: UInt64 = 1_000_000_000
}

/// What a run found wrong.
struct SimulationFailure: Error, CustomStringConvertible {
    enum Rule: String {
        case leaseEndsOnce, creditConserved, creditStranded, endedSessionHeld, wrongHandle, requestLost, rowsInOrder
        case requestsEnd, clockOffset, drainLosesNothing, protocolKept
    }

    var rule: Rule
    var detail: String
    var seed: UInt64
    var time: UInt64

    var description: String {
        "\(rule.rawValue) at \(Double(time) / 1e9) s: \(detail); replay with "
            + "TOKENFACTORY_SIM_SEED=\(seed) TOKENFACTORY_SIM_RUNS=1 swift test --filter LineTests.SimulationTests"
    }
}
