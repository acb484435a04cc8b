public import Batching
import Dispatch
import Glibc
import Synchronization

/// The engine's thread: owns an engine and its scheduler, takes commands from a mailbox between steps, and reports
/// each step. All methods may be called from any thread and return at once, `waitUntilStopped` excepted.
public final class EngineRunner: Sendable {
    private enum Command {
        case admit(EngineRequest)
        case cancel(UInt64)
        case handBackAll
        case stop
    }

    private struct Mailbox {
        var commands: [Command] = []
        /// The thread waits for `wakeUp`, or is about to.
        var isSleeping = false
        var spareRows: [[EngineRow]] = []
    }

    private let clock: @Sendable () -> UInt64
    private let onReport: @Sendable (StepReport) -> Void
    private let mailbox = Mutex(Mailbox())
    private let wakeUp = DispatchSemaphore(value: 0)
    private let stopped = DispatchSemaphore(value: 0)
    private let stepEndedAt = Atomic<UInt64>(0)
    private let stepBegunAt = Atomic<UInt64>(0)

    /// - Parameters:
    ///   - clock: monotonic, in nanoseconds.
    ///   - onReport: called on the engine's thread after each step, and after commands that ended something.
    public init(clock: @escaping @Sendable () -> UInt64, onReport: @escaping @Sendable (StepReport) -> Void) {
        self.clock = clock
        self.onReport = onReport
    }

    /// Starts the thread; call it once.
    public func start<E: Engine & ~Copyable>(_ engine: consuming E, settings: SchedulerSettings) {
        let handover = Handover(engine)
        DispatchQueue(label: "engine", qos: .userInitiated).async {
            guard let engine = handover.take() else { return }
            self.run(engine, Scheduler(settings))
        }
    }

    public func admit(_ request: EngineRequest) { send(.admit(request)) }

    public func cancel(_ id: UInt64) { send(.cancel(id)) }

    /// Ends every request as handed back.
    public func handBackAll() { send(.handBackAll) }

    /// Hands everything back, then ends the thread and frees the engine.
    public func stop() { send(.stop) }

    /// Blocks until the thread has ended; false when it has not within the time, since its engine hangs in a step.
    @discardableResult
    public func waitUntilStopped(seconds: Double = .infinity) -> Bool {
        let end: DispatchTime = seconds.isFinite ? .now() + seconds : .distantFuture
        guard stopped.wait(timeout: end) == .success else { return false }
        stopped.signal()
        return true
    }

    /// When the last step ended, on the runner's clock; 0 before the first.
    public var lastStepAt: UInt64 { stepEndedAt.load(ordering: .relaxed) }

    /// When the step under way began; nil between steps.
    public var currentStepBegunAt: UInt64? {
        let begun = stepBegunAt.load(ordering: .relaxed)
        return begun == 0 ? nil : begun
    }

    /// Gives a report's storage back, to be used for a later one.
    public func recycle(_ report: consuming StepReport) {
        var rows: [EngineRow] = []
        swap(&rows, &report.rows)
        rows.removeAll(keepingCapacity: true)
        mailbox.withLock { if $0.spareRows.count < 8 { $0.spareRows.append(rows) } }
    }

    private func send(_ command: Command) {
        let wasSleeping = mailbox.withLock { mailbox in
            mailbox.commands.append(command)
            defer { mailbox.isSleeping = false }
            return mailbox.isSleeping
        }
        if wasSleeping { wakeUp.signal() }
    }

    private func run<E: Engine & ~Copyable>(_ engine: consuming E, _ initial: Scheduler) {
        var scheduler = initial
        var plan = StepPlan()
        var result = StepResult()
        var commands: [Command] = []
        var rows: [EngineRow] = []
        var isStopping = false
        while !isStopping {
            takeCommands(&commands, &rows, sleepIfNone: scheduler.isIdle)
            for command in commands {
                switch command {
                case .admit(let request): scheduler.admit(request)
                case .cancel(let id): scheduler.cancel(id)
                case .handBackAll: scheduler.handBackAll()
                case .stop:
                    scheduler.handBackAll()
                    isStopping = true
                }
            }
            commands.removeAll(keepingCapacity: true)
            step(&engine, &scheduler, &plan, &result, &rows)
        }
        stopped.signal()
    }

    private func takeCommands(_ commands: inout [Command], _ rows: inout [EngineRow], sleepIfNone: Bool) {
        while true {
            let sleeps = mailbox.withLock { mailbox in
                swap(&mailbox.commands, &commands)
                if rows.capacity == 0, let spare = mailbox.spareRows.popLast() { rows = spare }
                mailbox.isSleeping = commands.isEmpty && sleepIfNone
                return mailbox.isSleeping
            }
            guard sleeps else { return }
            wakeUp.wait()
        }
    }

    private func step<E: Engine & ~Copyable>(
        _ engine: inout E, _ scheduler: inout Scheduler, _ plan: inout StepPlan, _ result: inout StepResult,
        _ rows: inout [EngineRow]
    ) {
        let begun = clock()
        var ended = begun
        var failure: EngineError?
        let steps = scheduler.plan(into: &plan, now: begun)
        if steps {
            stepBegunAt.store(begun, ordering: .relaxed)
            do {
                try engine.step(plan, into: &result)
                ended = wait(until: begun + result.wait)
                scheduler.complete(result)
            } catch {
                ended = clock()
                failure = error
                result.clear()
                scheduler.abandon(error)
            }
        }
        if steps {
            stepEndedAt.store(ended, ordering: .relaxed)
            stepBegunAt.store(0, ordering: .relaxed)
        }
        scheduler.takeRows(into: &rows)
        guard steps || !rows.isEmpty else { return }
        var reported: [EngineRow] = []
        swap(&reported, &rows)
        onReport(
            StepReport(
                rows: reported, begunAt: begun, endedAt: ended, tokens: plan.tokens.count,
                energy: steps ? result.energy : nil,
                error: failure, load: scheduler.currentLoad))
    }

    /// Waits for what a modelled step has left of its time.
    /// - Returns: the time then.
    private func wait(until end: UInt64) -> UInt64 {
        var now = clock()
        while now < end {
            let (seconds, nanoseconds) = (end - now).quotientAndRemainder(dividingBy: 1_000_000_000)
            var time = timespec(tv_sec: Int(clamping: seconds), tv_nsec: Int(nanoseconds))
            // A system call and nothing else, where a semaphore asks three clocks before it sleeps.
            _ = unsafe clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nil)
            now = clock()
        }
        return now
    }
}

/// Brings a value that cannot be copied into a closure.
private final class Handover<Value: ~Copyable & Sendable>: Sendable {
    private let content: Mutex<Value?>

    init(_ value: consuming Value) {
        content = Mutex(consume value)
    }

    func take() -> Value? {
        content.withLock { content in
            let value = content.take()
            return value
        }
    }
}
