import CFloor

/// How long two threads take to wake one another and back, over eventfds: what no hop through a sleeping thread can
/// beat. Kept warm, and after pauses, in which a virtual machine's cores fall asleep.
public struct WakeFloor: Codable, Equatable, Sendable {
    /// Both threads on one core: a switch from one to the other, without waking a core.
    public var oneCore: LatencySummary
    /// A core each, without pauses.
    public var warm: LatencySummary
    /// A core each, with pauses of 3 ms.
    public var idle: LatencySummary

    /// Takes about a third of a second.
    static func measure() throws(BenchError) -> WakeFloor {
        WakeFloor(
            oneCore: Latencies(try samples(warmup: 500, count: 5000, pause: 0, cores: 1)).summary,
            warm: Latencies(try samples(warmup: 500, count: 5000, pause: 0, cores: 2)).summary,
            idle: Latencies(try samples(warmup: 5, count: 60, pause: 3000, cores: 2)).summary)
    }

    private static func samples(
        warmup: UInt32, count: UInt32, pause: UInt32, cores: Int32
    ) throws(BenchError) -> [UInt64] {
        var samples = [UInt64](repeating: 0, count: Int(count))
        guard unsafe cf_wakeup(warmup, count, pause, cores, &samples) == 0 else { throw .floorFailed() }
        return samples
    }
}

extension BenchError {
    /// The C floors' last error on this thread.
    static func floorFailed() -> BenchError { .floor(unsafe String(cString: cf_error())) }
}

/// The floor before a run and after it.
public struct FloorPair: Codable, Equatable, Sendable {
    public var before: WakeFloor
    public var after: WakeFloor

    /// Beyond this quotient of two floors, what was measured on them is not compared.
    public static let limit = 2.0

    /// Whether the machine stayed as it was; if not, the run's figures are not comparable with one another.
    public var isStable: Bool { Self.areComparable(before, after) }

    /// Whether figures that were taken on these floors can be compared.
    public static func areComparable(_ one: WakeFloor, _ other: WakeFloor) -> Bool {
        ratio(one.warm.p50, other.warm.p50) <= limit && ratio(one.idle.p50, other.idle.p50) <= limit
    }

    private static func ratio(_ one: Double, _ other: Double) -> Double {
        min(one, other) > 0 ? max(one, other) / min(one, other) : .infinity
    }
}
