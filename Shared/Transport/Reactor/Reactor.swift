import Synchronization

/// One thread that polls sockets and is the executor of the actors that own them.
///
/// An actor returns the reactor as its `unownedExecutor` (and holds it strongly). Then its jobs run on the reactor's
/// thread, and callbacks of the reactor enter the actor by `assumeIsolated`, without a hop:
/// ```swift
/// reactor.register(router) { [weak self] in self?.assumeIsolated { $0.drain() } }
/// ```
/// A turn: wait for sockets or a wake-up; call `onMonitor` and `onReadable` of those that have something; run the jobs
/// and posted bodies that were there; let time pass, for sockets and tick; call the end-of-turn body; send what all that
/// sent. A turn that leaves work behind is followed at once by the next, so a busy socket starves neither others nor the
/// jobs, as long as `onReadable` takes at most ``receivesPerTurn`` frames.
public final class Reactor: SerialExecutor, Sendable {
    /// How many frames a socket's `onReadable` should take before it returns; what remains is found in the next turn.
    public static let receivesPerTurn = 256

    public let name: String
    private let spin: UInt64
    private let wake: WakeSignal
    private let inbox = Mutex(Inbox())
    /// Mirrors "the inbox has work", so that spinning needs no lock.
    private let hasWork = Atomic<Bool>(false)
    private let thread = Atomic<UInt>(0)
    private let turns = Atomic<UInt64>(0)
    private let wakeups = Atomic<UInt64>(0)
    private let jobs = Atomic<UInt64>(0)
    // Confined to the reactor's thread: reached through `confined`, which checks that.
    nonisolated(unsafe) private let loop: ReactorLoop

    private enum Work: Sendable {
        case job(UnownedJob)
        case body(@Sendable () -> Void)
    }

    private struct Inbox: Sendable {
        enum Phase: Sendable { case running, stopping, stopped }
        var phase = Phase.running
        /// Whether a thread is there to run what is put in.
        var isServed = true
        /// Whether that thread waits, or is about to, and must be woken.
        var isAsleep = false
        var work: [Work] = []
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    /// Starts the thread, which runs (and holds the reactor) until ``stop()``.
    ///
    /// - Parameters:
    ///   - name: The thread's name.
    ///   - spinMicroseconds: How long to look for work before sleeping; costs that much of a core for each idle turn.
    public init(name: String, spinMicroseconds: UInt64 = 0) throws(TransportError) {
        self.name = name
        spin = spinMicroseconds * 1000
        wake = try WakeSignal()
        let loop = try ReactorLoop()
        try loop.watch(wake: wake.descriptor)
        unsafe self.loop = loop
        try ReactorThread.launch(name: name) { self.run() }
    }

    /// Whether the caller is on the reactor's thread.
    public var isCurrent: Bool { thread.load(ordering: .relaxed) == ReactorThread.current }

    /// What the reactor has done so far.
    public var statistics: ReactorStatistics {
        ReactorStatistics(
            turns: turns.load(ordering: .relaxed), wakeups: wakeups.load(ordering: .relaxed),
            jobs: jobs.load(ordering: .relaxed))
    }

    // MARK: From any thread

    /// Runs `body` on the reactor's thread, after what was enqueued before it.
    public func post(_ body: @escaping @Sendable () -> Void) { put(.body(body)) }

    /// Asks the loop to end after the work that is there, and forgets all callbacks; sockets stay their owners'.
    ///
    /// Jobs that arrive later still run, one after the other, on a thread made for them, so nobody waits for ever.
    public func stop() {
        let mustWake = inbox.withLock { inbox in
            if inbox.phase == .running { inbox.phase = .stopping }
            defer { inbox.isAsleep = false }
            return inbox.isAsleep
        }
        hasWork.store(true, ordering: .releasing)
        if mustWake { raise() }
    }

    /// Returns when the loop has ended.
    public func waitUntilStopped() async {
        await withCheckedContinuation { continuation in
            let isOver = inbox.withLock { inbox in
                if inbox.phase != .stopped { inbox.waiters.append(continuation) }
                return inbox.phase == .stopped
            }
            if isOver { continuation.resume() }
        }
    }

    private func put(_ work: Work) {
        enum Need { case nothing, wake, thread }
        let need: Need = inbox.withLock { inbox in
            inbox.work.append(work)
            if !inbox.isServed {
                inbox.isServed = true
                return .thread
            }
            defer { inbox.isAsleep = false }
            return inbox.isAsleep ? .wake : .nothing
        }
        hasWork.store(true, ordering: .releasing)
        switch need {
        case .nothing: break
        case .wake: raise()
        case .thread: serveLatecomers()
        }
    }

    private func raise() {
        wakeups.wrappingAdd(1, ordering: .relaxed)
        wake.raise()
    }

    // MARK: Executor

    /// What an actor that runs here returns as its `unownedExecutor`; the actor must hold the reactor.
    @safe public var executor: UnownedSerialExecutor { unsafe UnownedSerialExecutor(ordinary: self) }

    public func enqueue(_ job: consuming ExecutorJob) { put(.job(UnownedJob(job))) }

    public func isIsolatingCurrentContext() -> Bool? { isCurrent }

    public func checkIsolated() { precondition(isCurrent, "not on the thread of reactor \(name)") }

    // MARK: On the reactor's thread

    /// Watches a router: `onReadable` is called in each turn in which a frame is there, and drains it.
    ///
    /// On the reactor's thread only, once the socket is bound. Ends when the registration is cancelled or the socket
    /// closed.
    /// - Parameter onMonitor: Gets connection events; for a router its options must ask for them.
    @discardableResult
    public func register(
        _ socket: borrowing RouterSocket, onReadable: @escaping @Sendable () -> Void,
        onMonitor: (@Sendable (MonitorEvent) -> Void)? = nil
    ) -> Registration {
        watch(socket.link, onReadable: onReadable, onMonitor: onMonitor)
    }

    /// Watches a dealer; see the router's form.
    @discardableResult
    public func register(
        _ socket: borrowing DealerSocket, onReadable: @escaping @Sendable () -> Void,
        onMonitor: (@Sendable (MonitorEvent) -> Void)? = nil
    ) -> Registration {
        watch(socket.link, onReadable: onReadable, onMonitor: onMonitor)
    }

    func watch(
        _ socket: (any LinkSocket)?, onReadable: @escaping @Sendable () -> Void,
        onMonitor: (@Sendable (MonitorEvent) -> Void)?
    ) -> Registration {
        socket?.registration?.cancel()
        let registration = Registration(socket, self, confined, onReadable: onReadable, onMonitor: onMonitor)
        confined.add(registration)
        return registration
    }

    /// Calls `body` every so many nanoseconds, on the reactor's thread (resolution: 1 ms; missed ticks are skipped).
    ///
    /// To be set on the reactor's thread; replaces the one before.
    /// - Parameter slack: How many nanoseconds earlier a tick may come in a turn that is there anyway, which saves the
    ///   wake-up for it.
    public func setTick(every nanoseconds: UInt64, slack: UInt64 = 0, _ body: @escaping @Sendable () -> Void) {
        confined.setTick(every: max(nanoseconds, 1_000_000), slack: slack, now: MonotonicClock.now(), body)
    }

    /// Has the next tick come within so many nanoseconds, if it would come later; on the reactor's thread.
    public func bringTick(within nanoseconds: UInt64) {
        confined.bringTick(within: nanoseconds, now: MonotonicClock.now)
    }

    /// Calls `body` at the end of each turn, when all that came in has been handled: the place to send what gathered.
    ///
    /// To be set on the reactor's thread; replaces the one before.
    public func setTurnEnd(_ body: @escaping @Sendable () -> Void) { confined.turnEnd = body }

    private var confined: ReactorLoop {
        checkIsolated()
        return unsafe loop
    }

    // MARK: The loop

    private func run() {
        thread.store(ReactorThread.current, ordering: .relaxed)
        let loop = confined
        var batch: [Work] = []
        while let timeout = sleepTime(loop) {
            loop.poll(milliseconds: timeout)
            loop.dispatch()
            let isRunning = take(&batch)
            execute(&batch)
            loop.tick(now: MonotonicClock.now)
            loop.turnEnd?()
            loop.flush()
            turns.wrappingAdd(1, ordering: .relaxed)
            if spin > 0, isRunning { search(loop) }
        }
        loop.removeAll()
        finish(&batch)
    }

    /// How long the next poll may wait, in milliseconds (−1: for ever); nil when the loop is to end.
    private func sleepTime(_ loop: ReactorLoop) -> Int? {
        let patience = loop.patience(now: MonotonicClock.now)
        return inbox.withLock { inbox -> Int? in
            guard inbox.work.isEmpty else { return 0 }
            guard inbox.phase == .running else { return nil }
            inbox.isAsleep = patience != 0
            return patience
        }
    }

    private func search(_ loop: ReactorLoop) {
        let end = MonotonicClock.now() + spin
        while !hasWork.load(ordering: .acquiring), !loop.hasReadable(), MonotonicClock.now() < end {}
    }

    /// Empties the inbox; false if the reactor is to stop.
    private func take(_ batch: inout [Work]) -> Bool {
        // In this order: what comes in after the lock is announced after it too.
        hasWork.store(false, ordering: .relaxed)
        return inbox.withLock { inbox in
            inbox.isAsleep = false
            swap(&inbox.work, &batch)
            return inbox.phase == .running
        }
    }

    private func execute(_ batch: inout [Work]) {
        jobs.wrappingAdd(UInt64(batch.count), ordering: .relaxed)
        for work in batch {
            switch work {
            case .job(let job): unsafe job.runSynchronously(on: executor)
            case .body(let body): body()
            }
        }
        batch.removeAll(keepingCapacity: true)
    }

    /// Runs what is left and gives up the thread when there is nothing more.
    private func finish(_ batch: inout [Work]) {
        while true {
            let waiters: [CheckedContinuation<Void, Never>]? = inbox.withLock { inbox in
                guard inbox.work.isEmpty else { return nil }
                inbox.phase = .stopped
                inbox.isServed = false
                // Before the lock goes: the next thread to serve must not be overwritten.
                thread.store(0, ordering: .relaxed)
                defer { inbox.waiters = [] }
                return inbox.waiters
            }
            if let waiters {
                for waiter in waiters { waiter.resume() }
                return
            }
            _ = take(&batch)
            execute(&batch)
        }
    }

    private func serveLatecomers() {
        do {
            try ReactorThread.launch(name: name) {
                self.thread.store(ReactorThread.current, ordering: .relaxed)
                var batch: [Work] = []
                self.finish(&batch)
            }
        } catch {
            fatalError("a job for the stopped reactor \(name) cannot run: \(error)")
        }
    }
}

/// Counts since a reactor's start.
public struct ReactorStatistics: Hashable, Sendable {
    public let turns: UInt64
    /// Times that another thread had to wake it.
    public let wakeups: UInt64
    /// Jobs and posted bodies.
    public let jobs: UInt64
}
