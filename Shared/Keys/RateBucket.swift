/// What may still be used of a bound by the minute: it fills evenly, and holds a minute's worth.
///
/// A use may be larger than what is left, as the tokens of an answer are known only when it is there: what was used too
/// much has to fill up again before the next use.
struct RateBucket: Sendable {
    /// In billionths, so that a nanosecond of a small rate counts.
    private var left: Int128
    private var filledAt: UInt64

    private static let minute: Int128 = 60_000_000_000
    /// What is owed or left at most, so that no sum overflows.
    private static let most = Int128(UInt64.max) * minute

    init(full perMinute: UInt64, now: UInt64) {
        left = Int128(perMinute) * Self.minute
        filledAt = now
    }

    private mutating func fill(_ perMinute: UInt64, _ now: UInt64) {
        if now > filledAt {
            left += Int128(perMinute) * Int128(now - filledAt)
            filledAt = now
        }
        left = min(left, Int128(perMinute) * Self.minute)
    }

    /// Whether something may be used now; else after how many nanoseconds `needed` is there.
    mutating func wait(for needed: UInt64, _ perMinute: UInt64, now: UInt64) -> UInt64 {
        fill(perMinute, now)
        // More than a minute's worth is never there.
        let missing = Int128(min(needed, perMinute)) * Self.minute - left
        guard missing > 0, perMinute > 0 else { return 0 }
        return UInt64(clamping: (missing + Int128(perMinute) - 1) / Int128(perMinute))
    }

    mutating func use(_ amount: UInt64) {
        left = max(left - Int128(amount) * Self.minute, -Self.most)
    }

    /// Gives back what was not used.
    mutating func giveBack(_ amount: UInt64) {
        left = min(left + Int128(amount) * Self.minute, Self.most)
    }
}
