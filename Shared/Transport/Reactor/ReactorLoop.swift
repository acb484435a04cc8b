import CLinux

/// What a reactor's thread polls and calls. Confined to that thread.
///
/// `zmq_poll` asks each socket twice in every call, at two system calls a piece; here the sockets' descriptors are
/// polled. libzmq's announces that a socket's state has changed, once: what a call on the socket has seen meanwhile it
/// does not announce again (zmq_getsockopt(3), ZMQ_FD). So sockets are asked what they hold before the thread sleeps.
///
/// Invariant: `descriptors[0]` is the wake-up, and an entry of `polled` knows the places of its own, whenever `isStale`
/// is false; closing a socket removes it first, so that no closed one is polled.
@safe final class ReactorLoop {
    var turnEnd: (@Sendable () -> Void)?

    private final class Entry {
        let socket: any LinkSocket
        let onReadable: @Sendable () -> Void
        let onMonitor: (@Sendable (MonitorEvent) -> Void)?
        var isActive = true
        /// Where its descriptors stand among those that are polled; 0 for none.
        var framesIndex = 0
        var eventsIndex = 0

        init(
            _ socket: any LinkSocket, _ onReadable: @escaping @Sendable () -> Void,
            _ onMonitor: (@Sendable (MonitorEvent) -> Void)?
        ) {
            self.socket = socket
            self.onReadable = onReadable
            self.onMonitor = onMonitor
        }
    }

    private struct Tick {
        let every: UInt64
        /// How much earlier it may come in a turn that is there anyway.
        let slack: UInt64
        var next: UInt64
        let body: @Sendable () -> Void
    }

    private var wake: Int32 = -1
    private var entries: [Entry] = []
    /// Those that were polled last.
    private var polled: [Entry] = []
    private var descriptors: [pollfd] = []
    private var isStale = true
    private var ticking: Tick?

    func prepare(wake: Int32) { self.wake = wake }

    func add(
        _ socket: any LinkSocket, onReadable: @escaping @Sendable () -> Void,
        onMonitor: (@Sendable (MonitorEvent) -> Void)?
    ) {
        remove(socket)
        entries.append(Entry(socket, onReadable, onMonitor))
        socket.isPolled = true
        isStale = true
    }

    func remove(_ socket: any LinkSocket) {
        guard let index = entries.firstIndex(where: { $0.socket === socket }) else { return }
        entries.remove(at: index).isActive = false
        leave(socket)
        isStale = true
    }

    /// From here on nobody flushes it.
    private func leave(_ socket: any LinkSocket) {
        socket.isPolled = false
        socket.flush()
    }

    func removeAll() {
        for entry in entries {
            entry.isActive = false
            leave(entry.socket)
        }
        entries = []
        polled = []
        descriptors = []
        isStale = true
        ticking = nil
        turnEnd = nil
    }

    func setTick(every: UInt64, slack: UInt64 = 0, now: UInt64, _ body: @escaping @Sendable () -> Void) {
        ticking = Tick(every: every, slack: slack, next: now + every, body: body)
    }

    func bringTick(within: UInt64, now: () -> UInt64) {
        guard let next = ticking?.next else { return }
        ticking?.next = min(next, now() + within)
    }

    /// Milliseconds until the next tick, rounded up; −1 if there is none.
    func patience(now: () -> UInt64) -> Int {
        guard let ticking else { return -1 }
        let now = now()
        return now >= ticking.next ? 0 : Int((ticking.next - now + 999_999) / 1_000_000)
    }

    func tick(now: () -> UInt64) {
        guard let due = ticking else { return }
        let now = now()
        guard now + due.slack >= due.next else { return }
        let next = due.next + due.every
        ticking?.next = next > now ? next : now + due.every
        due.body()
    }

    /// Waits for sockets or the wake-up; true if it was raised.
    func poll(milliseconds: Int) -> Bool {
        rebuildIfStale()
        look(milliseconds: isHolding() ? 0 : Int32(clamping: milliseconds))
        return descriptors[0].revents != 0
    }

    /// Whether a socket has something, without waiting and without calling anybody.
    func hasReadable() -> Bool {
        rebuildIfStale()
        return isHolding() || look(milliseconds: 0) > 0
    }

    @discardableResult
    private func look(milliseconds: Int32) -> Int32 {
        let ready = unsafe CLinux.poll(&descriptors, nfds_t(descriptors.count), milliseconds)
        // An interrupted or failed poll has written no events, and the next turn asks again.
        if ready < 0 { for index in descriptors.indices { descriptors[index].revents = 0 } }
        return ready
    }

    /// Whether a socket has something that its descriptors may have announced already.
    private func isHolding() -> Bool {
        var isHolding = false
        for entry in entries where entry.socket.isHolding() { isHolding = true }
        return isHolding
    }

    /// Calls back for every socket that has something.
    func dispatch() {
        // A callback may add or remove sockets, which makes `descriptors` stale but does not change it.
        for entry in polled where entry.isActive {
            let found = entry.socket.look(
                framesAnnounced: isAnnounced(entry.framesIndex), eventsAnnounced: isAnnounced(entry.eventsIndex))
            // A handshake is reported before the frames that follow it.
            if found.events { events(of: entry) }
            if found.frames, entry.isActive { entry.onReadable() }
        }
    }

    private func isAnnounced(_ index: Int) -> Bool { index > 0 && descriptors[index].revents != 0 }

    private func events(of entry: Entry) {
        while entry.isActive {
            // An error means that the context is ending, and the socket's next use says so.
            guard let event = try? entry.socket.nextEvent() else { return }
            entry.onMonitor?(event)
        }
    }

    /// Sends what all sockets were given since the last time.
    func flush() {
        for entry in entries { entry.socket.flush() }
    }

    private func rebuildIfStale() {
        guard isStale else { return }
        isStale = false
        polled = entries
        descriptors.removeAll(keepingCapacity: true)
        descriptors.append(pollfd(fd: wake, events: .in, revents: 0))
        for entry in entries {
            let (frames, events) = entry.socket.descriptors
            entry.eventsIndex = watch(events)
            entry.framesIndex = watch(frames)
        }
    }

    private func watch(_ descriptor: Int32?) -> Int {
        guard let descriptor else { return 0 }
        descriptors.append(pollfd(fd: descriptor, events: .in, revents: 0))
        return descriptors.count - 1
    }
}

extension Int16 {
    /// poll's "something is there".
    static let `in` = Int16(POLLIN)
}
