import Batching
import Engines
import Llama
import Synchronization
import Testing

@Suite struct EngineRunnerTests {
    /// Gathers reports and lets tests await them.
    final class Gatherer: Sendable {
        private let stream: AsyncStream<StepReport>
        private let continuation: AsyncStream<StepReport>.Continuation

        init() { (stream, continuation) = AsyncStream.makeStream() }

        func take(_ report: StepReport) { continuation.yield(report) }

        func finish() { continuation.finish() }

        /// Rows until each of these requests has ended.
        func rows(untilEnded ids: Set<UInt64>) async -> [EngineRow] {
            var rows: [EngineRow] = []
            var left = ids
            for await report in stream {
                rows += report.rows
                for row in report.rows where row.end != nil { left.remove(row.id) }
                if left.isEmpty { break }
            }
            return rows
        }
    }

    static func engine() throws -> SimulatedEngine {
        let accelerator = try #require(Accelerator.named("h100"))
        return try SimulatedEngine(
            SimulatedEngine.Options(
                model: StepModel(accelerator: accelerator, shape: .llama8B), timeScale: 0, tokenTable: Array(0..<50),
                vocabularySize: 50, contextCells: 4096, maximumSequences: 16))
    }

    static func request(_ id: UInt64, most: Int) -> EngineRequest {
        EngineRequest(id: id, tokens: [1, 2, UInt32(id % 50)], limits: TokenLimits(maximumTokens: most))
    }

    /// A clock that only goes on.
    static func clock() -> @Sendable () -> UInt64 {
        let start = ContinuousClock.now
        return {
            let (seconds, attoseconds) = (ContinuousClock.now - start).components
            return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000) + 1
        }
    }

    @Test("Requests run to their ends, whether the thread slept or not", .timeLimit(.minutes(5)))
    func runs() async throws {
        let gatherer = Gatherer()
        let runner = EngineRunner(clock: Self.clock()) { gatherer.take($0) }
        let engine = try Self.engine()
        runner.start(engine, settings: SchedulerSettings(for: engine))
        for round in 0..<20 as Range<UInt64> {
            let ids = Set((round * 10..<round * 10 + 10))
            for id in ids { runner.admit(Self.request(id, most: 7)) }
            let rows = await gatherer.rows(untilEnded: ids)
            for id in ids {
                let own = rows.filter { $0.id == id }
                #expect(own.compactMap(\.token).count == 7)
                #expect(own.last?.end == .length)
                #expect(own.first?.details?.begunAt ?? 0 > 0)
            }
        }
        #expect(runner.lastStepAt > 0)
        runner.stop()
        runner.waitUntilStopped()
        #expect(runner.currentStepBegunAt == nil)
    }

    @Test("Cancelled and handed-back requests end as such", .timeLimit(.minutes(5)))
    func cancels() async throws {
        let gatherer = Gatherer()
        let runner = EngineRunner(clock: Self.clock()) { gatherer.take($0) }
        let engine = try Self.engine()
        runner.admit(Self.request(1, most: 4000))
        runner.admit(Self.request(2, most: 4000))
        runner.cancel(1)
        runner.handBackAll()
        runner.start(engine, settings: SchedulerSettings(for: engine))
        let rows = await gatherer.rows(untilEnded: [1, 2])
        #expect(rows.first { $0.id == 1 }?.end == .cancelled)
        #expect(rows.first { $0.id == 2 }?.end == .handedBack)
        runner.admit(Self.request(3, most: 4000))
        runner.stop()
        let last = await gatherer.rows(untilEnded: [3])
        #expect(last.last?.end == .handedBack)
        runner.waitUntilStopped()
    }

    @Test("A failing engine's requests fail, and later ones still run", .timeLimit(.minutes(5)))
    func failure() async throws {
        struct Flaky: Engine {
            var inner: SimulatedEngine
            var steps = 0
            var name: String { "flaky" }
            var vocabularySize: Int { inner.vocabularySize }
            var contextCells: Int { inner.contextCells }
            var maximumSequences: Int { inner.maximumSequences }
            var maximumStepTokens: Int { inner.maximumStepTokens }
            var sharesPrefixes: Bool { inner.sharesPrefixes }
            func isEndOfGeneration(_ token: UInt32) -> Bool { false }
            mutating func step(_ plan: borrowing StepPlan, into result: inout StepResult) throws(EngineError) {
                steps += 1
                if steps == 3 { throw .failed("as asked") }
                try inner.step(plan, into: &result)
            }
        }
        let gatherer = Gatherer()
        let runner = EngineRunner(clock: Self.clock()) { gatherer.take($0) }
        let engine = Flaky(inner: try Self.engine())
        runner.admit(Self.request(1, most: 10))
        runner.start(engine, settings: SchedulerSettings(for: engine))
        let failed = await gatherer.rows(untilEnded: [1])
        #expect(failed.last?.end == .failed(.engine(.failed("as asked"))))
        runner.admit(Self.request(2, most: 10))
        let rows = await gatherer.rows(untilEnded: [2])
        #expect(rows.compactMap(\.token).count == 10)
        runner.stop()
        runner.waitUntilStopped()
    }

    @Test("Plain tokens are valid UTF-8 of letters and spaces")
    func plainTokens() throws {
        let vocabulary = try LlamaModel(path: Fixtures.modelPath, vocabularyOnly: true).vocabulary
        let tokens = try vocabulary.plainTokens()
        #expect(tokens.count > 1000)
        var bytes: [UInt8] = []
        for token in tokens { try vocabulary.bytes(of: token, renderSpecial: false, into: &bytes) }
        #expect(bytes.allSatisfy { $0 == 0x20 || (0x61...0x7a).contains($0) })
    }
}
