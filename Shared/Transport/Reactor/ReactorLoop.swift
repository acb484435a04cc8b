import CZeroMQ

/// What a reactor's thread polls and calls. Confined to that thread.
///
/// `zmq_poll` asks each socket twice in every call, at two system calls a piece; here the sockets' descriptors are
/// polled. A descriptor announces that a socket's state has changed, once: what a call on the socket has seen meanwhile
/// it does not announce again (zmq_getsockopt(3), ZMQ_FD). So sockets that were used since they were last found empty
/// are asked before the thread sleeps.
///
/// Invariant: `descriptors[0]` is the wake-up, and `descriptors[i]` for i > 0 belongs to `slots[i - 1]`, whenever
/// `isStale` is false; closing a socket removes it first, so that no closed one is polled.
@safe final class ReactorLoop {
    var turnEnd: (@Sendable () -> Void)?

    private final class Entry {
        let handle: SocketHandle
        let onReadable: @Sendable () -> Void
        let onMonitor: (@Sendable (MonitorEvent) -> Void)?
        var isActive = true
        /// Whether events may have come before the monitor's descriptor was watched.
        var mayHaveEvents = true

        init(
            _ handle: SocketHandle, _ onReadable: @escaping @Sendable () -> Void,
            _ onMonitor: (@Sendable (MonitorEvent) -> Void)?
        ) {
            self.handle = handle
            self.onReadable = onReadable
            self.onMonitor = onMonitor
        }
    }

    private struct Slot {
        let entry: Entry
        let isMonitor: Bool
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
    private var slots: [Slot] = []
    private var descriptors: [pollfd] = []
    private var isStale = true
    private var ticking: Tick?

    func prepare(wake: Int32) { self.wake = wake }

    func add(
        _ handle: SocketHandle, onReadable: @escaping @Sendable () -> Void,
        onMonitor: (@Sendable (MonitorEvent) -> Void)?
    ) {
        remove(handle)
        entries.append(Entry(handle, onReadable, onMonitor))
        isStale = true
    }

    func remove(_ handle: SocketHandle) {
        guard let index = entries.firstIndex(where: { $0.handle === handle }) else { return }
        entries[index].isActive = false
        entries.remove(at: index)
        isStale = true
    }

    func removeAll() {
        for entry in entries { entry.isActive = false }
        entries = []
        slots = []
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
        let ready = unsafe CZeroMQ.poll(&descriptors, nfds_t(descriptors.count), milliseconds)
        // An interrupted or failed poll has written no events, and the next turn asks again.
        if ready < 0 { for index in descriptors.indices { descriptors[index].revents = 0 } }
        return ready
    }

    /// Whether a socket has a frame that its descriptor may have announced already.
    private func isHolding() -> Bool {
        var isHolding = false
        for entry in entries {
            if entry.mayHaveEvents || (entry.handle.mayHold && entry.handle.findHeld()) { isHolding = true }
        }
        return isHolding
    }

    /// Calls back for every socket that has something.
    func dispatch() {
        // A callback may add or remove sockets, which makes `descriptors` stale but does not change it.
        for index in slots.indices {
            let slot = slots[index]
            let isAnnounced = descriptors[index + 1].revents != 0
            let isUnannounced = slot.isMonitor ? slot.entry.mayHaveEvents : slot.entry.handle.mayHold
            guard slot.entry.isActive, isAnnounced || isUnannounced else { continue }
            if slot.isMonitor { events(of: slot.entry) } else { slot.entry.onReadable() }
        }
    }

    private func events(of entry: Entry) {
        entry.mayHaveEvents = false
        while entry.isActive {
            // An error means that the context is ending, and the socket's next use says so.
            guard let event = try? entry.handle.nextEvent() else { return }
            entry.onMonitor?(event)
        }
    }

    private func rebuildIfStale() {
        guard isStale else { return }
        isStale = false
        slots.removeAll(keepingCapacity: true)
        descriptors.removeAll(keepingCapacity: true)
        descriptors.append(pollfd(fd: wake, events: .in, revents: 0))
        for entry in entries {
            // A handshake is reported before the frames that follow it.
            if let descriptor = entry.handle.monitorDescriptor {
                slots.append(Slot(entry: entry, isMonitor: true))
                descriptors.append(pollfd(fd: descriptor, events: .in, revents: 0))
            }
            if entry.handle.monitorDescriptor == nil { entry.mayHaveEvents = false }
            if let descriptor = entry.handle.descriptor {
                slots.append(Slot(entry: entry, isMonitor: false))
                descriptors.append(pollfd(fd: descriptor, events: .in, revents: 0))
            }
        }
    }
}
