import Glibc

/// The time of day, for records that people and other processes read; never for measuring.
public enum WallClock {
    /// Nanoseconds since 1970.
    public static func now() -> UInt64 {
        var time = timespec()
        guard unsafe clock_gettime(CLOCK_REALTIME, &time) == 0 else { return 0 }
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
