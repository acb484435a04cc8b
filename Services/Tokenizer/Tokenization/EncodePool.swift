import Dispatch
import Synchronization

/// Encodes prompts on threads of its own, so that nobody's long prompt holds up the caller or anybody's short one.
///
/// There are two classes by length. Short prompts go first, and long ones may use all threads but one: a short prompt
/// waits for other short ones only. One long prompt is always let in, so that they do not starve either. There are never fewer than two threads: with a single core the
/// operating system shares it between the one for short prompts and a long one that runs, which a queue alone could not
/// interrupt. Each class is served in the order of submission.
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
        /// Prompts that wait, not counting those being encoded.
        public var waiting: Int
        /// Bytes of prompts that wait.
        public var waitingBytes: Int
        /// Up to so many bytes a prompt is short. 8 KB take less than two milliseconds.
        public var shortBytes: Int

        public init(
            threads: Int, waiting: Int = 4096, waitingBytes: Int = 256 << 20, shortBytes: Int = 8 << 10
        ) {
            self.threads = max(2, threads)
            self.waiting = waiting
            self.waitingBytes = waitingBytes
            self.shortBytes = shortBytes
        }
    }

    public typealias Completion = @Sendable (Result<[UInt32], PromptError>) -> Void

    private let limits: Limits
    private let encode: @Sendable (Prompt) -> Result<[UInt32], PromptError>
    private let post: @Sendable (@escaping @Sendable () -> Void) -> Void
    private let threads: [DispatchQueue]
    private let state: Mutex<State>

    /// - Parameters:
    ///   - post: runs a closure where the caller wants its completions, for instance on its reactor.
    ///   - encode: called on the pool's threads, several at once.
    public init(
        limits: Limits, post: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void,
        encode: @escaping @Sendable (Prompt) -> Result<[UInt32], PromptError>
    ) {
        self.limits = limits
        self.post = post
        self.encode = encode
        // Serial queues get threads beyond the number of cores, which a concurrent one does not.
        threads = (0..<limits.threads).map { DispatchQueue(label: "token-factory.encode.\($0)") }
        state = Mutex(State(threads: limits.threads))
    }

    /// Prompts that wait, not counting those being encoded.
    public var waitingCount: Int { state.withLock { $0.short.jobs.count + $0.long.jobs.count } }

    /// Queues a prompt.
    ///
    /// - Parameter completion: posted once, unless the ticket is cancelled first.
    /// - Returns: nil if the queue is full: say *busy*.
    public func submit(_ prompt: Prompt, completion: @escaping Completion) -> Ticket? {
        let byteCount = prompt.byteCount
        let isLong = byteCount > limits.shortBytes
        let (ticket, thread) = state.withLock { state -> (Ticket?, Int?) in
            guard state.short.jobs.count + state.long.jobs.count < limits.waiting,
                state.waitingBytes + byteCount <= limits.waitingBytes
            else { return (nil, nil) }
            state.lastNumber += 1
            let number = state.lastNumber
            let job = Job(prompt: prompt, byteCount: byteCount, isLong: isLong, completion: completion)
            if isLong { state.long.append(job, number) } else { state.short.append(job, number) }
            state.waitingBytes += byteCount
            return (Ticket(number: number), state.wake())
        }
        if let thread { threads[thread].async { self.work(thread) } }
        return ticket
    }

    /// Encodes on the caller's thread, where that costs less than changing threads: token ids, and short texts while
    /// nobody waits.
    ///
    /// - Parameter bytes: How much text the caller can afford now.
    /// - Returns: nil if the prompt is for the pool.
    public func encodeAtOnce(_ prompt: Prompt, upTo bytes: Int) -> Result<[UInt32], PromptError>? {
        if case .tokens = prompt { return encode(prompt) }
        guard prompt.byteCount <= bytes, waitingCount == 0 else { return nil }
        return encode(prompt)
    }

    /// Takes a prompt back.
    ///
    /// - Returns: true if it was still waiting: its completion will not be called.
    @discardableResult
    public func cancel(_ ticket: Ticket) -> Bool {
        state.withLock { state in
            guard let job = state.short.remove(ticket.number) ?? state.long.remove(ticket.number) else { return false }
            state.waitingBytes -= job.byteCount
            return true
        }
    }

    /// Encodes until nothing is left that this thread may take.
    private func work(_ thread: Int) {
        var last: Job?
        while let job = state.withLock({ $0.next(after: last, thread: thread) }) {
            let result = encode(job.prompt)
            let completion = job.completion
            post { completion(result) }
            last = job
        }
    }

    private struct Job: Sendable {
        let prompt: Prompt
        let byteCount: Int
        let isLong: Bool
        let completion: Completion
    }

    /// First in, first out, with removal by number.
    private struct Line: Sendable {
        private(set) var jobs: [UInt64: Job] = [:]
        private var order: [UInt64] = []
        private var head = 0

        mutating func append(_ job: Job, _ number: UInt64) {
            jobs[number] = job
            order.append(number)
        }

        mutating func remove(_ number: UInt64) -> Job? { jobs.removeValue(forKey: number) }

        mutating func popFirst() -> Job? {
            while head < order.count {
                let job = jobs.removeValue(forKey: order[head])
                head += 1
                if head == order.count || head > 1024 {
                    order.removeFirst(head)
                    head = 0
                }
                if let job { return job }
            }
            return nil
        }
    }

    private struct State: Sendable {
        var short = Line()
        var long = Line()
        var waitingBytes = 0
        var lastNumber: UInt64 = 0
        private var idle: [Int]
        private var longRunning = 0
        private let longLimit: Int

        init(threads: Int) {
            idle = Array((0..<threads).reversed())
            longLimit = threads - 1
        }

        /// A thread to start, if there is one and work that it may take.
        mutating func wake() -> Int? {
            guard !short.jobs.isEmpty || longRunning < longLimit else { return nil }
            return idle.popLast()
        }

        /// The next job for a thread that has just done `last`; nil puts the thread to rest.
        mutating func next(after last: Job?, thread: Int) -> Job? {
            if let last, last.isLong { longRunning -= 1 }
            var job = longRunning == 0 ? nil : short.popFirst()
            if job == nil, longRunning < longLimit {
                job = long.popFirst()
                if job != nil { longRunning += 1 }
            }
            job = job ?? short.popFirst()
            if let job {
                waitingBytes -= job.byteCount
            } else {
                idle.append(thread)
            }
            return job
        }
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
        self.init(limits: limits, post: post) { prompt in
            do throws(PromptError) {
                return .success(try encoder.encode(prompt, now: now()))
            } catch {
                return .failure(error)
            }
        }
    }
}
