import Glibc

/// The time of day, for records that people and other processes read; never for measuring.
public enum WallClock {
    /// Nanoseconds since 1970.
    public static func now() -> UInt64 {
        var time = timespec()
        guard unsafe clock_gettime(CLOCK_REALTIME, &time) == 0 else { return 0 }
        // A clock that was never set may stand before 1970, and one that was set wrong beyond what 64 bits hold.
        let (whole, isOver) = UInt64(clamping: time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
        return isOver ? .max : whole &+ UInt64(clamping: time.tv_nsec)
    }
}
