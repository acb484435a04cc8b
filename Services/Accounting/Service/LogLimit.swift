/// Lets one line through each second, and counts those that it holds back. A plain value; times are nanoseconds.
struct LogLimit {
    private var next: UInt64 = 0
    private var held: UInt64 = 0

    /// How many lines were held back before this one; nil when this one is held back too.
    mutating func pass(_ now: UInt64) -> UInt64? {
        guard now >= next else {
            held += 1
            return nil
        }
        next = now + 1_000_000_000
        defer { held = 0 }
        return held
    }
}
