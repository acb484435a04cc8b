import Dispatch
import Synchronization
import Testing
import Tokenization

struct EncodePoolTests {
    @Test func everyPromptIsEncodedOnceAndPosted() async {
        let posted = Mutex(0)
        let pool = EncodePool(
            limits: .init(threads: 4),
            post: { body in
                posted.withLock { $0 += 1 }
                body()
            },
            begin: { prompt, _ in Whole(prompt) { .success([UInt32($0.byteCount)]) } })
        let results = await withTaskGroup(of: [UInt32].self) { group in
            for count in 0..<200 {
                group.addTask {
                    await withCheckedContinuation { continuation in
                        let prompt = Prompt.text(String(repeating: "x", count: count * 100))
                        let ticket = pool.submit(prompt) { continuation.resume(returning: (try? $0.get()) ?? []) }
                        if ticket == nil { continuation.resume(returning: []) }
                    }
                }
            }
            return await group.reduce(into: Set()) { $0.formUnion($1) }
        }
        #expect(results == Set((0..<200).map { UInt32($0 * 100) }))
        #expect(posted.withLock { $0 } == 200)
        #expect(pool.waitingCount == 0)
    }

    /// All threads that long prompts may have are stuck in one, and still short ones get through.
    @Test(arguments: [1, 2, 4])
    func shortPromptsPassLongOnes(threads: Int) async {
        let gate = Gate()
        let pool = gate.pool(.init(threads: threads, lightBytes: 10))
        let long = Prompt.text(String(repeating: "x", count: 100))
        let finishedLong = AsyncStream<Void>.makeStream()
        for _ in 0..<6 { #expect(pool.submit(long) { _ in finishedLong.continuation.yield() } != nil) }
        for _ in 0..<20 {
            await withCheckedContinuation { continuation in
                _ = pool.submit(.text("short")) { _ in continuation.resume() }
            }
        }
        #expect(pool.waitingCount >= 6 - (max(2, threads) - 1))
        gate.open()
        var iterator = finishedLong.stream.makeAsyncIterator()
        for _ in 0..<6 { await iterator.next() }
    }

    @Test func refusesWhatItCannotHold() async {
        let gate = Gate()
        let pool = gate.pool(.init(threads: 2, waiting: 3, bytes: 140, lightBytes: 10))
        let long = Prompt.text(String(repeating: "x", count: 40))
        #expect(pool.submit(long) { _ in } != nil)
        await gate.entered()
        #expect(pool.submit(long) { _ in } != nil)
        let second = pool.submit(long) { _ in }
        #expect(second != nil)
        #expect(pool.submit(long) { _ in } == nil, "100 bytes")
        if let second { #expect(pool.cancel(second)) }
        #expect(pool.submit(long) { _ in } != nil)
        gate.open()
    }

    @Test func aCancelledPromptIsNotEncoded() async {
        let gate = Gate()
        let pool = gate.pool(.init(threads: 2, lightBytes: 10))
        let called = Mutex(false)
        let long = Prompt.text(String(repeating: "x", count: 40))
        _ = pool.submit(long) { _ in }
        await gate.entered()
        let ticket = pool.submit(long) { _ in called.withLock { $0 = true } }
        if let ticket {
            #expect(pool.cancel(ticket))
            #expect(!pool.cancel(ticket))
        }
        #expect(pool.waitingCount == 0)
        gate.open()
        await withCheckedContinuation { continuation in
            _ = pool.submit(long) { _ in continuation.resume() }
        }
        #expect(called.withLock { $0 } == false)
    }
}

extension EncodePoolTests {
    /// A tenant that fills the pool takes its own share of the steps and no more: another's prompt waits for the step
    /// that runs.
    @Test func anothersShortPromptWaitsForOneStep() async {
        let clock = Steps()
        let pool = clock.pool(.init(threads: 2))
        clock.hold()
        let ends = AsyncStream<String>.makeStream()
        for _ in 0..<64 {
            #expect(
                pool.submit(.text("greedy"), share: EncodeShare(tenant: "greedy")) { _ in
                    ends.continuation.yield("greedy")
                } != nil)
        }
        await clock.held(2)
        #expect(
            pool.submit(.text("modest"), share: EncodeShare(tenant: "modest")) { _ in
                ends.continuation.yield("modest")
            } != nil)
        clock.release()
        var iterator = ends.stream.makeAsyncIterator()
        for _ in 0..<65 { _ = await iterator.next() }
        // The two steps that ran, and those that the two threads had taken when its own ones were under way.
        let log = clock.log
        #expect(log.firstIndex(of: "modest").map { $0 <= 3 } == true, "\(log.prefix(12))")
        #expect(log.lastIndex(of: "modest").map { $0 <= 40 } == true, "\(log.prefix(48))")
    }

    /// A prompt that is taken back between two steps costs no further one.
    @Test func aPromptIsTakenBackInTheMidst() async throws {
        let clock = Steps()
        let pool = clock.pool(.init(threads: 2))
        clock.hold()
        let called = Mutex(false)
        let ticket = try #require(pool.submit(.text("greedy")) { _ in called.withLock { $0 = true } })
        await clock.held(1)
        #expect(pool.cancel(ticket))
        clock.release()
        await withCheckedContinuation { continuation in
            _ = pool.submit(.text("other")) { _ in continuation.resume() }
        }
        #expect(clock.log.count { $0 == "greedy" } == 1)
        #expect(!called.withLock { $0 })
        #expect(pool.waitingCount == 0)
    }
}

/// Prompts of ten steps each, which are logged, and can be held up.
private final class Steps: Sendable {
    private let lines = Mutex<[String]>([])
    private let gate = Mutex<DispatchSemaphore?>(nil)
    private let arrivals = AsyncStream<Void>.makeStream()

    var log: [String] { lines.withLock { $0 } }

    func hold() { gate.withLock { $0 = DispatchSemaphore(value: 0) } }

    func release() {
        let semaphore = gate.withLock { gate in
            defer { gate = nil }
            return gate
        }
        for _ in 0..<16 { semaphore?.signal() }
    }

    func held(_ count: Int) async {
        var iterator = arrivals.stream.makeAsyncIterator()
        for _ in 0..<count { await iterator.next() }
    }

    func pool(_ limits: EncodePool.Limits) -> EncodePool {
        EncodePool(limits: limits, post: { $0() }) { prompt, _ in Ten(prompt: prompt, steps: self) }
    }

    private struct Ten: PoolSteps {
        let prompt: Prompt
        let steps: Steps
        var left = 10
        var nextCost: Int { 1000 }

        mutating func step() -> Result<[UInt32], PromptError>? {
            if case .text(let text) = prompt { steps.lines.withLock { $0.append(text) } }
            if let semaphore = steps.gate.withLock({ $0 }) {
                steps.arrivals.continuation.yield()
                semaphore.wait()
            }
            left -= 1
            return left == 0 ? .success([]) : nil
        }
    }
}

/// A prompt that is encoded in one step.
private struct Whole: PoolSteps {
    let prompt: Prompt
    let encode: @Sendable (Prompt) -> Result<[UInt32], PromptError>
    var nextCost: Int { prompt.byteCount }

    init(_ prompt: Prompt, encode: @escaping @Sendable (Prompt) -> Result<[UInt32], PromptError>) {
        self.prompt = prompt
        self.encode = encode
    }

    mutating func step() -> Result<[UInt32], PromptError>? { encode(prompt) }
}

/// Holds up long prompts until it is opened.
private final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    private let arrivals = AsyncStream<Void>.makeStream()

    func pool(_ limits: EncodePool.Limits) -> EncodePool {
        EncodePool(limits: limits, post: { $0() }) { prompt, _ in
            Whole(prompt) { prompt in
                if prompt.byteCount > limits.lightBytes {
                    self.arrivals.continuation.yield()
                    self.semaphore.wait()
                    self.semaphore.signal()
                }
                return .success([])
            }
        }
    }

    func open() { semaphore.signal() }

    /// Waits until one is held up.
    func entered() async {
        var iterator = arrivals.stream.makeAsyncIterator()
        await iterator.next()
    }
}
