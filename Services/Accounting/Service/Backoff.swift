/// When a failed commit is tried again: after a tenth of a second, then twice as long each time, at most 5 s. A plain
/// value; times are nanoseconds of a monotonic clock.
struct Backoff: Equatable {
    private static let shortest: UInt64 = 100_000_000
    private static let longest: UInt64 = 5_000_000_000
    private var pause: UInt64 = 0
    private var until: UInt64 = 0

    mutating func failed(_ now: UInt64) {
        pause = pause == 0 ? Self.shortest : min(pause * 2, Self.longest)
        until = now + pause
    }

    mutating func succeeded() { self = Backoff() }

    func allows(_ now: UInt64) -> Bool { now >= until }
}
