import Glibc

/// What this process has used of the processors.
public enum ProcessorTime {
    /// Nanoseconds of all threads, in user and in kernel mode, since the process began; in steps of a microsecond.
    public static func now() -> UInt64 { UInt64(max(0, clock())) * 1000 }
}
