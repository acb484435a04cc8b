import Glibc

/// What this process has used of the processors.
public enum ProcessorTime {
    /// Nanoseconds of all threads, in user and in kernel mode, since the process began.
    public static func now() -> UInt64 {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
