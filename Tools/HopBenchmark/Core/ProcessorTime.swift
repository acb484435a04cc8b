import Glibc

/// What processes have used of the processors, by the clocks that the kernel keeps of them.
enum ProcessorTime {
    /// Nanoseconds that all threads of a process have run, also those that are gone (`clock_getcpuclockid(3)`). It
    /// never goes back while the process lives.
    ///
    /// - Throws: `.process` when there is no such process.
    static func nanoseconds(of pid: Int32) throws(BenchError) -> UInt64 {
        var clock = clockid_t()
        var time = timespec()
        guard unsafe clock_getcpuclockid(pid, &clock) == 0, unsafe clock_gettime(clock, &time) == 0 else {
            throw .process("process \(pid) is gone, and with it the account of its processor time")
        }
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// That of this process.
    static func own() throws(BenchError) -> UInt64 { try nanoseconds(of: getpid()) }
}
