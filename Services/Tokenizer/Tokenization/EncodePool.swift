import Dispatch
import Synchronization

/// Work for one request in steps, between which other requests have their turn.
public protocol PoolSteps<Output, Failure>: Sendable {
    associatedtype Output: Sendable
    associatedtype Failure: Error
    /// What the next step takes, in bytes of text: nothing interrupts it.
    var nextCost: Int { get }
    /// Goes on by one step; the outcome, once it is known.
    mutating func step() -> Result<Output, Failure>?
}

/// Encodes prompts on threads of its own, so that nobody's long prompt holds up the caller or anybody's short one. Long
/// answers that go on are taken up here, too.
///
/// A long prompt is encoded in steps of a few milliseconds, and the threads take the next step of the tenant whose turn
/// it is (``EncodeQueue``). Steps that take longer, since a text has no place to be cut or a template has many messages,
/// are heavy: they may have all threads but one. There are never fewer than two threads: with a single core the operating
/// system shares it between the two, which a queue alone could not interrupt.
///
/// Submitting takes a lock for some instructions, once per request. All methods may be called from any thread.
public final class EncodePool: Sendable {
    /// Names a prompt that was submitted.
    public struct Ticket: Hashable, Sendable {
        fileprivate var number: UInt64
    }

    /// What the pool will hold.
    public struct Limits: Equatable, Sendable {
        /// Threads; fewer than two means two.
        public var threads: Int
        /// Prompts that wait, or have steps left.
        public var waiting: Int
        /// Bytes of all prompts that are here.
        public var bytes: Int
        /// A step of more bytes is heavy. So many take about sixteen milliseconds.
        public var lightBytes: Int

        public init(threads: Int, waiting: Int = 4096, bytes: Int = 256 << 20, lightBytes: Int = 64 << 10) {
            self.threads = max(2, threads)
            self.waiting = waiting
            self.bytes = bytes
            self.lightBytes = lightBytes
        }
    }

    public typealias Completion = @Sendable (Result<[UInt32], PromptError>) -> Void

    private let limits: Limits
    private let begin: @Sendable (Prompt, Int) -> any PoolSteps<[UInt32], PromptError>
    private let post: @Sendable (@escaping @Sendable () -> Void) -> Void
    private let threads: [DispatchQueue]
    private let state: Mutex<State>

    /// - Parameters:
    ///   - post: runs a closure where the caller wants its completions, for instance on its reactor.
    ///   - begin: gives a prompt's steps, and how many tokens it may have; what it does itself takes no time.
    public init(
        limits: Limits, post: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void,
        begin: @escaping @Sendable (Prompt, Int) -> any PoolSteps<[UInt32], PromptError>
    ) {
        self.limits = limits
        self.post = post
        self.begin = begin
        // Serial queues get threads beyond the number of cores, which a concurrent one does not.
        threads = (0..<limits.threads).map { DispatchQueue(label: "token-factory.encode.\($0)") }
        state = Mutex(State(threads: limits.threads))
    }

    /// Prompts that wait for their first step or the next one.
    public var waitingCount: Int { state.withLock { $0.queue.count } }

    /// Queues a prompt.
    ///
    /// - Parameters:
    ///   - tokenLimit: a prompt of so many tokens or more is refused, as soon as that is certain.
    ///   - completion: posted once, unless the ticket is cancelled first.
    /// - Returns: nil if the queue is full: say *busy*.
    public func submit(
        _ prompt: Prompt, share: EncodeShare = EncodeShare(), tokenLimit: Int = .max, completion: @escaping Completion
    ) -> Ticket? {
        submit(begin(prompt, tokenLimit), byteCount: prompt.byteCount, share: share, completion: completion)
    }

    /// Queues other work.
    ///
    /// - Parameters:
    ///   - byteCount: the memory that it holds.
    ///   - completion: posted once, unless the ticket is cancelled first.
    /// - Returns: nil if the queue is full: say *busy*.
    public func submit<Output: Sendable, Failure: Error>(
        _ steps: any PoolSteps<Output, Failure>, byteCount: Int, share: EncodeShare = EncodeShare(),
        completion: @escaping @Sendable (Result<Output, Failure>) -> Void
    ) -> Ticket? {
        let steps = CompletedSteps(steps: steps, completion: completion)
        let (ticket, thread) = state.withLock { state -> (Ticket?, Int?) in
            guard state.queue.count < limits.waiting, state.bytes + byteCount <= limits.bytes else { return (nil, nil) }
            state.lastNumber += 1
            state.bytes += byteCount
            state.queue.insert(
                entry(Job(steps: steps, byteCount: byteCount), state.lastNumber, share))
            return (Ticket(number: state.lastNumber), state.wake())
        }
        if let thread { threads[thread].async { self.work(thread) } }
        return ticket
    }

    /// Encodes on the caller's thread, where that costs less than changing threads: token ids, and short texts while
    /// nobody waits.
    ///
    /// - Parameter cost: How much the caller can afford now, as ``Prompt/cost`` counts.
    /// - Returns: nil if the prompt is for the pool.
    public func encodeAtOnce(
        _ prompt: Prompt, upTo cost: Int, tokenLimit: Int = .max
    ) -> Result<[UInt32], PromptError>? {
        if case .tokens = prompt {
        } else {
            guard prompt.cost <= cost, waitingCount == 0 else { return nil }
        }
        var steps = begin(prompt, tokenLimit)
        while true {
            if let result = steps.step() { return result }
        }
    }

    /// Takes a prompt back.
    ///
    /// - Returns: true if it was still here: its completion will not be called.
    @discardableResult
    public func cancel(_ ticket: Ticket) -> Bool {
        state.withLock { state in
            if let entry = state.queue.remove(ticket.number) {
                state.bytes -= entry.work.byteCount
                return true
            }
            guard state.running[ticket.number] == false else { return false }
            state.running[ticket.number] = true
            return true
        }
    }

    private func entry(
        _ job: Job, _ number: UInt64, _ share: EncodeShare, time: Double? = nil
    ) -> EncodeQueue<Job>.Entry {
        let cost = job.steps.nextCost
        return EncodeQueue.Entry(
            number: number, share: share, cost: cost, isHeavy: cost > limits.lightBytes, work: job, time: time)
    }

    /// Encodes until nothing is left that this thread may take.
    private func work(_ thread: Int) {
        var current = state.withLock { $0.next(thread: thread) }
        while let wasHeavy = current?.isHeavy {
            let result = current?.work.steps.step() ?? nil
            let (completion, woken) = state.withLock { state -> ((@Sendable () -> Void)?, Int?) in
                // Taken, so that what it holds has one owner, and the next step does not have to copy it.
                guard var entry = current.take() else { return (nil, nil) }
                if wasHeavy { state.heavyRunning -= 1 }
                let isCancelled = state.running.removeValue(forKey: entry.number) ?? false
                if isCancelled || result != nil {
                    state.queue.end(entry)
                    state.bytes -= entry.work.byteCount
                    return (isCancelled ? nil : result, wasHeavy ? state.wake() : nil)
                }
                entry.cost = entry.work.steps.nextCost
                entry.isHeavy = entry.cost > limits.lightBytes
                state.queue.insert(entry)
                // A heavy step that waited for this one's end may be for a thread that rests.
                return (nil, wasHeavy ? state.wake() : nil)
            }
            if let woken { threads[woken].async { self.work(woken) } }
            if let completion { post(completion) }
            current = state.withLock { $0.next(thread: thread) }
        }
    }

    private struct Job: Sendable {
        var steps: any JobSteps
        let byteCount: Int
    }

    private struct State: Sendable {
        var queue = EncodeQueue<Job>()
        /// Prompts in a step now, and whether they were taken back meanwhile.
        var running: [UInt64: Bool] = [:]
        /// Of all prompts that are here.
        var bytes = 0
        var lastNumber: UInt64 = 0
        var heavyRunning = 0
        private var idle: [Int]
        private let heavyLimit: Int

        init(threads: Int) {
            idle = Array((0..<threads).reversed())
            heavyLimit = threads - 1
        }

        /// A thread to start, if there is one and work that it may take.
        mutating func wake() -> Int? {
            guard queue.lightCount > 0 || (queue.heavyCount > 0 && heavyRunning < heavyLimit) else { return nil }
            return idle.popLast()
        }

        /// The next step for a thread; nil puts the thread to rest.
        mutating func next(thread: Int) -> EncodeQueue<Job>.Entry? {
            guard let entry = queue.popFirst(heavy: heavyRunning < heavyLimit) else {
                idle.append(thread)
                return nil
            }
            if entry.isHeavy { heavyRunning += 1 }
            running[entry.number] = false
            return entry
        }
    }
}

/// Steps whose outcome has a taker.
private protocol JobSteps: Sendable {
    var nextCost: Int { get }
    /// Goes on by one step; what tells the outcome, once it is known.
    mutating func step() -> (@Sendable () -> Void)?
}

private struct CompletedSteps<Output: Sendable, Failure: Error>: JobSteps {
    var steps: any PoolSteps<Output, Failure>
    let completion: @Sendable (Result<Output, Failure>) -> Void
    var nextCost: Int { steps.nextCost }

    mutating func step() -> (@Sendable () -> Void)? {
        guard let result = steps.step() else { return nil }
        return { [completion] in completion(result) }
    }
}

extension EncodePool {
    /// A pool over `encoder`.
    ///
    /// - Parameter now: the time in seconds since 1970, for templates that show the date.
    public convenience init(
        encoder: PromptEncoder, limits: Limits, now: @escaping @Sendable () -> Int64,
        post: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void
    ) {
        self.init(limits: limits, post: post) { prompt, tokenLimit in
            encoder.steps(prompt, tokenLimit: tokenLimit, now: now())
        }
    }
}
