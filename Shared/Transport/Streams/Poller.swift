import CLinux
import Glibc

/// An epoll instance: says which of many descriptors have something, each by a token of its owner's.
///
/// Invariant: `descriptor` is open from `init` to `deinit`.
@safe struct Poller: ~Copyable {
    struct Interest: OptionSet {
        let rawValue: UInt32
        static let reading = Interest(rawValue: tf_epoll_in)
        static let writing = Interest(rawValue: tf_epoll_out)
        /// Always reported.
        static let hangup = Interest(rawValue: tf_epoll_hangup)
    }

    /// Becomes readable when there is something to report.
    let descriptor: Int32
    private var events = unsafe [epoll_event](repeating: epoll_event(), count: 64)
    private var found = 0

    init() throws(TransportError) {
        descriptor = epoll_create1(tf_epoll_flags)
        guard descriptor >= 0 else { throw .system(operation: "create", subject: "epoll", code: errno) }
    }

    deinit { Glibc.close(descriptor) }

    func add(_ watched: Int32, token: UInt64, _ interest: Interest) throws(TransportError) {
        guard control(EPOLL_CTL_ADD, watched, token, interest) else {
            throw .system(operation: "watch", subject: "descriptor \(watched)", code: errno)
        }
    }

    func change(_ watched: Int32, token: UInt64, _ interest: Interest) {
        // It is watched, so this fails for want of memory alone; what is asked for in vain comes with the next change.
        _ = control(EPOLL_CTL_MOD, watched, token, interest)
    }

    func remove(_ watched: Int32) { _ = control(EPOLL_CTL_DEL, watched, 0, []) }

    private func control(_ operation: Int32, _ watched: Int32, _ token: UInt64, _ interest: Interest) -> Bool {
        var event = unsafe epoll_event(events: interest.rawValue, data: epoll_data_t(u64: token))
        return unsafe epoll_ctl(descriptor, operation, watched, &event) == 0
    }

    /// Looks for up to 64 events without waiting, and says how many there are.
    mutating func look() -> Int {
        found = Int(unsafe max(0, epoll_wait(descriptor, &events, Int32(events.count), 0)))
        return found
    }

    /// One of the events that the last look found.
    subscript(index: Int) -> (token: UInt64, what: Interest) {
        precondition(index < found, "an event that was found")
        return unsafe (events[index].data.u64, Interest(rawValue: events[index].events))
    }

    /// Waits until there is something to report; false when the time is over.
    ///
    /// - Parameter milliseconds: At most this long; negative waits for ever.
    func wait(milliseconds: Int) throws(TransportError) -> Bool {
        var watched = pollfd(fd: descriptor, events: .in, revents: 0)
        let ready = unsafe poll(&watched, 1, Int32(clamping: milliseconds))
        if ready < 0, errno != EINTR { throw .system(operation: "poll", subject: "socket", code: errno) }
        return ready > 0
    }
}

/// A timer that a poller can watch.
///
/// Invariant: `descriptor` is open from `init` to `deinit`.
struct TimerSignal: ~Copyable {
    let descriptor: Int32

    init() throws(TransportError) {
        descriptor = timerfd_create(CLOCK_MONOTONIC, tf_timerfd_flags)
        guard descriptor >= 0 else { throw .system(operation: "create", subject: "timer", code: errno) }
    }

    deinit { Glibc.close(descriptor) }

    /// Has it become readable at this time of the monotonic clock, and at none that was set before.
    func set(_ time: UInt64) {
        var value = itimerspec()
        // All zero would disarm it.
        value.it_value.tv_sec = Int(time / 1_000_000_000)
        value.it_value.tv_nsec = max(1, Int(time % 1_000_000_000))
        _ = unsafe timerfd_settime(descriptor, Int32(TFD_TIMER_ABSTIME), &value, nil)
    }

    func lower() {
        var count: UInt64 = 0
        _ = unsafe read(descriptor, &count, 8)
    }
}
