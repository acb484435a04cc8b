/// What a reactor's thread waits for and calls: one epoll set for all sockets, and one time. Confined to that thread.
///
/// In each turn the poller announces what the kernel has, which the sockets take (``Watched``); then their owners are
/// called, one after the other, each once. A socket that may have something for its owner stands in `holding`, until it is
/// asked before the thread sleeps and has nothing: so a turn costs what has happened, not what there is.
///
/// Each socket says when it wants to be called for the time's sake (``LinkSocket/dueAt``). The earliest of these times and
/// of the tick's bounds the wait. To find the next one is a pass over all sockets, but only when one was due: a socket
/// that is gone leaves no time behind, and none has to be taken out of anything.
final class ReactorLoop {
    var turnEnd: (@Sendable () -> Void)?

    private struct Tick {
        let every: UInt64
        /// How much earlier it may come in a turn that is there anyway.
        let slack: UInt64
        var next: UInt64
        let body: @Sendable () -> Void
    }

    let poller: Poller
    private var registrations: [Registration] = []
    private var holding: [Registration] = []
    private var unsent: [Registration] = []
    /// Empty between the steps of a turn: keeps its memory for the next.
    private var current: [Registration] = []
    /// No socket's time is before this.
    private var earliest = UInt64.max
    private var ticking: Tick?

    init() throws(TransportError) { poller = try Poller() }

    /// Has a wake-up end the wait.
    func watch(wake: Int32) throws(TransportError) { _ = try poller.add(self, at: 0, wake, [.reading, .once]) }

    // MARK: Sockets

    func add(_ registration: Registration) {
        guard let socket = registration.socket else { return }
        registrations.append(registration)
        registration.isActive = true
        socket.registration = registration
        socket.watch(by: poller)
        arm(socket.dueAt)
        // What came before, nothing announces.
        hold(registration)
    }

    func remove(_ registration: Registration) {
        guard registration.isActive else { return }
        registrations.removeAll { $0 === registration }
        leave(registration)
    }

    func removeAll() {
        for registration in registrations { leave(registration) }
        (registrations, holding, unsent) = ([], [], [])
        ticking = nil
        turnEnd = nil
    }

    /// From here on nobody flushes the socket.
    private func leave(_ registration: Registration) {
        registration.isActive = false
        registration.socket?.flush()
        registration.socket?.watch(by: nil)
    }

    /// The socket may have something for its owner.
    func hold(_ registration: Registration) {
        guard registration.isActive, !registration.isHolding else { return }
        registration.isHolding = true
        holding.append(registration)
    }

    /// The socket has something to send when the turn ends.
    func willFlush(_ registration: Registration) {
        guard !registration.isUnsent else { return }
        registration.isUnsent = true
        unsent.append(registration)
    }

    /// A socket's time is not after this one any more.
    func arm(_ time: UInt64) { earliest = min(earliest, time) }

    // MARK: Time

    func setTick(every: UInt64, slack: UInt64 = 0, now: UInt64, _ body: @escaping @Sendable () -> Void) {
        ticking = Tick(every: every, slack: slack, next: now + every, body: body)
    }

    func bringTick(within: UInt64, now: () -> UInt64) {
        guard let next = ticking?.next else { return }
        ticking?.next = min(next, now() + within)
    }

    /// Milliseconds for which there is nothing to do unless something comes, rounded up; −1 if that is for ever.
    func patience(now: () -> UInt64) -> Int {
        guard !isHolding() else { return 0 }
        let next = min(earliest, ticking?.next ?? .max)
        guard next < .max else { return -1 }
        let now = now()
        return now >= next ? 0 : Int((next - now - 1) / 1_000_000) + 1
    }

    /// Lets time pass: for the sockets that are due, and for the tick.
    func tick(now: () -> UInt64) {
        guard ticking != nil || earliest < .max else { return }
        let now = now()
        if now >= earliest { callDue(now) }
        guard let due = ticking, now + due.slack >= due.next else { return }
        let next = due.next + due.every
        ticking?.next = next > now ? next : now + due.every
        due.body()
    }

    private func callDue(_ now: UInt64) {
        earliest = .max
        for registration in registrations {
            guard let socket = registration.socket else { continue }
            if socket.dueAt <= now { socket.timePassed(now) }
            arm(socket.dueAt)
        }
    }

    // MARK: A turn

    /// Waits for something, at most so many milliseconds; −1 is for ever.
    func poll(milliseconds: Int) { poller.wait(milliseconds: milliseconds) }

    /// Whether a socket has something, without waiting and without calling anybody.
    func hasReadable() -> Bool { isHolding() || poller.wait(milliseconds: 0) }

    /// Asks the sockets that may have something whether they do.
    private func isHolding() -> Bool {
        holding.removeAll { registration in
            registration.isHolding = registration.isActive && registration.socket?.isHolding() == true
            return !registration.isHolding
        }
        return !holding.isEmpty
    }

    /// Calls back for every socket that has something.
    func dispatch() {
        poller.announce()
        guard !holding.isEmpty else { return }
        swap(&holding, &current)
        for registration in current {
            registration.isHolding = false
            call(registration)
            // What it still has, or got from what it did, is looked for before the thread sleeps.
            hold(registration)
        }
        current.removeAll(keepingCapacity: true)
    }

    private func call(_ registration: Registration) {
        // A callback may close other sockets, and its own.
        guard registration.isActive, let socket = registration.socket else { return }
        let held = socket.held
        // A handshake is reported before the frames that follow it. An error means that the context is ending, and the
        // socket's next use says so.
        while held.events, registration.isActive, let event = try? socket.nextEvent() { registration.onMonitor?(event) }
        if held.frames, registration.isActive { registration.onReadable() }
    }

    /// Sends what all sockets were given since the last time.
    func flush() {
        guard !unsent.isEmpty else { return }
        swap(&unsent, &current)
        for registration in current {
            registration.isUnsent = false
            registration.socket?.flush()
        }
        current.removeAll(keepingCapacity: true)
    }
}

extension ReactorLoop: Watched {
    /// A wake-up has nothing to say: that the wait has ended is all.
    func announced(_ what: Poller.Interest, at tag: Int) {}
}
