import Testing

@testable import Batching

@Suite struct SchedulerTests {
    /// Runs a scheduler over an engine and gathers each request's rows.
    struct Bench {
        var scheduler: Scheduler
        var engine: CheckingEngine
        var plan = StepPlan.Box()
        var rows: [UInt64: [EngineRow]] = [:]

        init(_ settings: SchedulerSettings) {
            scheduler = Scheduler(settings)
            engine = CheckingEngine(
                vocabularySize: settings.vocabularySize, contextCells: settings.contextCells,
                maximumSequences: settings.maximumSequences, maximumStepTokens: settings.tokenBudget, end: 99)
        }

        /// - Returns: the tokens of each sequence in the step; nil if there was nothing to do.
        @discardableResult
        mutating func step(now: UInt64 = 0) throws -> [Int32: Int]? {
            var result = StepResult()
            var counts: [Int32: Int] = [:]
            guard scheduler.plan(into: &plan.value, now: now) else {
                takeRows()
                return nil
            }
            for token in plan.value.tokens { counts[token.sequence, default: 0] += 1 }
            try engine.step(plan.value, into: &result)
            scheduler.complete(result)
            #expect(engine.complaints.isEmpty)
            takeRows()
            return counts
        }

        mutating func runAll() throws {
            while try step() != nil {}
        }

        mutating func takeRows() {
            var taken: [EngineRow] = []
            scheduler.takeRows(into: &taken)
            for row in taken { rows[row.id, default: []].append(row) }
        }

        func tokens(_ id: UInt64) -> [UInt32] { rows[id, default: []].compactMap(\.token) }
        func end(_ id: UInt64) -> GenerationEnd? { rows[id]?.last?.end }
    }

    static func request(
        _ id: UInt64, _ tokens: [UInt32], generated: Int = 0, most: Int = 8, least: Int = 0
    ) -> EngineRequest {
        EngineRequest(
            id: id, tokens: tokens, generatedCount: generated,
            limits: TokenLimits(maximumTokens: most, minimumTokens: least, ignoresEndOfGeneration: true))
    }

    static func prompt(_ count: Int, from first: UInt32 = 0) -> [UInt32] {
        (0..<UInt32(count)).map { ($0 * 7 + first * 13) % 90 }
    }

    @Test("A long prompt does not delay a short one, nor a request that decodes")
    func longPromptDelaysNobody() throws {
        var bench = Bench(
            SchedulerSettings(tokenBudget: 16, contextCells: 4096, maximumSequences: 8, vocabularySize: 100))
        bench.scheduler.admit(Self.request(1, Self.prompt(4), most: 500))
        try bench.step()
        bench.scheduler.admit(Self.request(2, Self.prompt(2000, from: 1)))
        try bench.step()
        bench.scheduler.admit(Self.request(3, Self.prompt(9, from: 2)))
        try bench.step()
        #expect(bench.tokens(1).count == 3)
        #expect(bench.tokens(3).count == 1)
        #expect(bench.tokens(2).isEmpty)
    }

    @Test("Short prompts without end do not starve a long one")
    func shortPromptsStarveNobody() throws {
        var bench = Bench(
            SchedulerSettings(tokenBudget: 16, contextCells: 4096, maximumSequences: 8, vocabularySize: 100))
        bench.scheduler.admit(Self.request(1, Self.prompt(400), most: 1))
        var id: UInt64 = 1
        for _ in 0..<200 where bench.rows[1] == nil {
            id += 1
            bench.scheduler.admit(Self.request(id, Self.prompt(14, from: UInt32(id)), most: 1))
            try bench.step()
        }
        #expect(bench.end(1) == .length)
    }

    @Test("A cancelled request is not in the next step")
    func cancelStopsNextStep() throws {
        var bench = Bench(
            SchedulerSettings(tokenBudget: 16, contextCells: 256, maximumSequences: 4, vocabularySize: 100))
        bench.scheduler.admit(Self.request(1, Self.prompt(4), most: 100))
        bench.scheduler.admit(Self.request(2, Self.prompt(5, from: 3), most: 100))
        try bench.step()
        try bench.step()
        let cancelled1 = bench.scheduler.cancel(1)
        #expect(cancelled1)
        let cancelled2 = bench.scheduler.cancel(1)
        #expect(!cancelled2)
        let step3 = try bench.step()
        #expect(step3 == [1: 1])
        #expect(bench.end(1) == .cancelled)
        #expect(bench.rows[1]?.last?.details?.usage.produced == 2)
    }

    @Test("A cancel during a step ends the request with it, and counts the token")
    func cancelDuringStep() throws {
        var scheduler = Scheduler(
            SchedulerSettings(tokenBudget: 16, contextCells: 64, maximumSequences: 2, vocabularySize: 100))
        var plan = StepPlan()
        var result = StepResult()
        scheduler.admit(Self.request(1, Self.prompt(4), most: 100))
        let hasStep4 = scheduler.plan(into: &plan)
        #expect(hasStep4)
        let cancelled5 = scheduler.cancel(1)
        #expect(cancelled5)
        result.samples = [SampledToken(token: 5)]
        scheduler.complete(result)
        var rows: [EngineRow] = []
        scheduler.takeRows(into: &rows)
        #expect(rows.map(\.end) == [.cancelled])
        #expect(rows.first?.details?.usage.produced == 1)
        let hasStep6 = scheduler.plan(into: &plan)
        #expect(!hasStep6)
    }

    @Test("A finished conversation's next turn computes only what is new")
    func prefixOfFinished() throws {
        var bench = Bench(
            SchedulerSettings(tokenBudget: 64, contextCells: 256, maximumSequences: 4, vocabularySize: 100))
        bench.scheduler.admit(Self.request(1, Self.prompt(20), most: 5))
        try bench.runAll()
        let next = Self.prompt(20) + bench.tokens(1) + [1, 2, 3]
        bench.scheduler.admit(Self.request(2, next, most: 1))
        // The last token of an answer is chosen, never computed.
        let step7 = try bench.step()
        #expect(step7 == [0: 4])
        #expect(bench.rows[2]?.first?.details?.cachedTokens == 24)
        #expect(bench.scheduler.currentLoad.cachedTokens == 24)
    }

    @Test("Two running requests share the cells of a common beginning")
    func prefixOfRunning() throws {
        var bench = Bench(
            SchedulerSettings(tokenBudget: 64, contextCells: 256, maximumSequences: 4, vocabularySize: 100))
        bench.scheduler.admit(Self.request(1, Self.prompt(30), most: 50))
        try bench.step()
        bench.scheduler.admit(Self.request(2, Self.prompt(30) + [5], most: 50))
        try bench.step()
        #expect(bench.rows[2]?.first?.details?.cachedTokens == 30)
        // 30 shared, one decoded by the first, one of the second's own.
        #expect(bench.engine.cellsInUse == 32)
        #expect(bench.scheduler.pool.usedCount == 32)
    }

    @Test("Preemption shows in no row")
    func preemptionIsInvisible() throws {
        let settings = SchedulerSettings(
            tokenBudget: 64, contextCells: 64, maximumSequences: 4, vocabularySize: 100)
        var bench = Bench(settings)
        for id in 1...4 as ClosedRange<UInt64> {
            bench.scheduler.admit(Self.request(id, Self.prompt(8, from: UInt32(id)), most: 40))
        }
        try bench.runAll()
        #expect(bench.scheduler.currentLoad.preemptions > 0)
        #expect(bench.rows[1]?.last?.details?.usage.preemptions == 0)
        for id in 1...4 as ClosedRange<UInt64> {
            var alone = Bench(settings)
            alone.scheduler.admit(Self.request(id, Self.prompt(8, from: UInt32(id)), most: 40))
            try alone.runAll()
            #expect(bench.tokens(id) == alone.tokens(id))
            #expect(bench.rows[id]?.map(\.index) == Array(0..<40))
        }
    }

    @Test("A full context ends an answer, and a prompt that fills it fails")
    func contextOverflow() throws {
        var bench = Bench(
            SchedulerSettings(
                tokenBudget: 16, contextCells: 64, maximumSequences: 4, contextLength: 20, vocabularySize: 100))
        bench.scheduler.admit(Self.request(1, Self.prompt(15), most: 100))
        bench.scheduler.admit(Self.request(2, Self.prompt(20), most: 100))
        try bench.runAll()
        #expect(bench.tokens(1).count == 5)
        #expect(bench.end(1) == .length)
        #expect(bench.end(2) == .failed(.promptTooLong(tokens: 20, contextLength: 20)))
    }

    @Test("An engine's error ends everything and leaves an empty cache")
    func engineError() throws {
        var bench = Bench(
            SchedulerSettings(tokenBudget: 16, contextCells: 64, maximumSequences: 2, vocabularySize: 100))
        for id in 1...3 as ClosedRange<UInt64> { bench.scheduler.admit(Self.request(id, Self.prompt(6))) }
        try bench.step()
        _ = bench.scheduler.plan(into: &bench.plan.value)
        bench.scheduler.abandon(.stopped)
        bench.takeRows()
        #expect((1...3).allSatisfy { bench.end($0) == .failed(.engine(.stopped)) })
        #expect(bench.scheduler.pool.usedCount == 0)
        bench.scheduler.admit(Self.request(4, Self.prompt(6)))
        try bench.runAll()
        #expect(bench.end(4) == .length)
        #expect(bench.rows[4]?.first?.details?.cachedTokens == 0)
    }

    @Test("Past its deadline a request ends, waiting or between steps, and costs no step more")
    func deadlines() throws {
        let settings = SchedulerSettings(
            tokenBudget: 16, contextCells: 64, maximumSequences: 2, vocabularySize: 100)
        var bench = Bench(settings)
        var running = Self.request(1, Self.prompt(6), most: 30)
        running.deadline = 100
        var waiting = Self.request(2, Self.prompt(6), most: 30)
        waiting.deadline = 50
        bench.scheduler.admit(running)
        try bench.step(now: 10)
        try bench.step(now: 20)
        bench.scheduler.admit(waiting)
        bench.scheduler.admit(Self.request(3, Self.prompt(6), most: 4))
        try bench.step(now: 50)
        #expect(bench.end(2) == .failed(.deadlineExceeded))
        #expect(bench.rows[2]?.last?.details?.usage.prefilled == 0)
        #expect(bench.end(1) == nil)
        let made = bench.tokens(1).count
        try bench.step(now: 100)
        #expect(bench.end(1) == .failed(.deadlineExceeded))
        #expect(bench.tokens(1).count == made)
        #expect(bench.rows[1]?.last?.details?.usage.produced == UInt32(made))
        while try bench.step(now: 1000) != nil {}
        #expect(bench.end(3) == .length)
        #expect(bench.scheduler.isIdle)
    }

    @Test("Of one tenant's requests that wait the lower priority goes first; no other tenant's turn changes")
    func priorities() throws {
        var bench = Bench(
            SchedulerSettings(
                tokenBudget: 16, contextCells: 64, maximumSequences: 1, maximumRunning: 1, vocabularySize: 100))
        bench.scheduler.admit(Self.request(1, Self.prompt(6), most: 3))
        try bench.step()
        let asked: [(id: UInt64, tenant: String, priority: Int32)] = [
            (2, "a", 5), (3, "b", 9), (4, "a", 5), (5, "b", -1), (6, "a", -2), (7, "c", 0), (8, "a", 5),
        ]
        for (id, tenant, priority) in asked {
            var request = Self.request(id, Self.prompt(6, from: UInt32(id)), most: 2)
            (request.tenant, request.priority) = (tenant, priority)
            bench.scheduler.admit(request)
        }
        var order: [UInt64] = []
        while try bench.step() != nil {
            for id in bench.rows.keys.sorted() where bench.end(id) != nil && !order.contains(id) { order.append(id) }
        }
        #expect(order == [1, 6, 5, 2, 3, 4, 7, 8])
    }

    @Test("Handing back ends all, running and waiting")
    func handBack() throws {
        var bench = Bench(
            SchedulerSettings(tokenBudget: 16, contextCells: 64, maximumSequences: 2, vocabularySize: 100))
        for id in 1...4 as ClosedRange<UInt64> { bench.scheduler.admit(Self.request(id, Self.prompt(6))) }
        try bench.step()
        bench.scheduler.handBackAll()
        bench.takeRows()
        #expect((1...4).allSatisfy { bench.end($0) == .handedBack })
        #expect(bench.scheduler.isIdle)
    }
}

extension StepPlan {
    /// Lets a struct that is copied hold a plan.
    final class Box {
        var value = StepPlan()
    }
}
