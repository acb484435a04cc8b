import CZeroMQ

/// What a reactor's thread polls and calls. Confined to that thread.
///
/// Invariant: `items[0]` is the wake-up, and `items[i]` for i > 0 belongs to `slots[i - 1]`, whenever `isStale` is
/// false; closing a socket removes it first, so `items` is rebuilt before libzmq could see a closed one.
@safe final class ReactorLoop {
    var turnEnd: (@Sendable () -> Void)?

    private final class Entry {
        let handle: SocketHandle
        let onReadable: @Sendable () -> Void
        let onMonitor: (@Sendable (MonitorEvent) -> Void)?
        var isActive = true

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
        var next: UInt64
        let body: @Sendable () -> Void
    }

    private var wake: Int32 = -1
    private var entries: [Entry] = []
    private var slots: [Slot] = []
    private var items: [zmq_pollitem_t] = unsafe []
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
        unsafe items = []
        isStale = true
        ticking = nil
        turnEnd = nil
    }

    func setTick(every: UInt64, now: UInt64, _ body: @escaping @Sendable () -> Void) {
        ticking = Tick(every: every, next: now + every, body: body)
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
        guard now >= due.next else { return }
        let next = due.next + due.every
        ticking?.next = next > now ? next : now + due.every
        due.body()
    }

    /// Waits for sockets or the wake-up; true if it was raised.
    func poll(milliseconds: Int) -> Bool {
        rebuildIfStale()
        // An interrupted or failed poll leaves no event: the next turn asks again.
        for index in unsafe items.indices { unsafe items[index].revents = 0 }
        let ready = unsafe zmq_poll(&items, Int32(items.count), milliseconds)
        return unsafe ready > 0 && items[0].revents != 0
    }

    /// Whether a socket has something, without waiting and without calling anybody.
    func hasReadable() -> Bool {
        rebuildIfStale()
        return unsafe zmq_poll(&items, Int32(items.count), 0) > 0
    }

    /// Calls back for every socket that the last poll found readable.
    func dispatch() {
        // A callback may add or remove sockets, which makes `items` stale but does not change it.
        for index in slots.indices where unsafe items[index + 1].revents != 0 {
            let slot = slots[index]
            guard slot.entry.isActive else { continue }
            if slot.isMonitor { events(of: slot.entry) } else { slot.entry.onReadable() }
        }
    }

    private func events(of entry: Entry) {
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
        unsafe items.removeAll(keepingCapacity: true)
        unsafe items.append(zmq_pollitem_t(socket: nil, fd: wake, events: .in, revents: 0))
        for entry in entries {
            // A handshake is reported before the frames that follow it.
            if let monitor = unsafe entry.handle.monitor {
                slots.append(Slot(entry: entry, isMonitor: true))
                unsafe items.append(zmq_pollitem_t(socket: monitor, fd: 0, events: .in, revents: 0))
            }
            if let raw = unsafe entry.handle.raw {
                slots.append(Slot(entry: entry, isMonitor: false))
                unsafe items.append(zmq_pollitem_t(socket: raw, fd: 0, events: .in, revents: 0))
            }
        }
    }
}
