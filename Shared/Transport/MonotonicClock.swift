import Glibc

/// The clock of every time stamp on the line.
public enum MonotonicClock {
    /// `CLOCK_MONOTONIC` in nanoseconds: comparable within one host only.
    @inline(__always)
    public static func now() -> UInt64 {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
