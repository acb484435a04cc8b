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
            encode: { .success([UInt32($0.byteCount)]) })
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
        let pool = gate.pool(.init(threads: threads, shortBytes: 10))
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
        let pool = gate.pool(.init(threads: 2, waiting: 3, waitingBytes: 100, shortBytes: 10))
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
        let pool = gate.pool(.init(threads: 2, shortBytes: 10))
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

/// Holds up long prompts until it is opened.
private final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    private let arrivals = AsyncStream<Void>.makeStream()

    func pool(_ limits: EncodePool.Limits) -> EncodePool {
        EncodePool(limits: limits, post: { $0() }) { prompt in
            if prompt.byteCount > limits.shortBytes {
                self.arrivals.continuation.yield()
                self.semaphore.wait()
                self.semaphore.signal()
            }
            return .success([])
        }
    }

    func open() { semaphore.signal() }

    /// Waits until one is held up.
    func entered() async {
        var iterator = arrivals.stream.makeAsyncIterator()
        await iterator.next()
    }
}
