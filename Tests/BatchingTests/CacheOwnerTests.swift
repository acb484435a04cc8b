import Testing

@testable import Batching

/// What one tenant can learn of another's prompts by the cache.
@Suite struct CacheOwnerTests {
    private static func settings(common: [[UInt32]] = []) -> SchedulerSettings {
        var settings = SchedulerSettings(
            tokenBudget: 64, contextCells: 512, maximumSequences: 8, vocabularySize: 100)
        settings.commonPrefixes = common
        return settings
    }

    private static func request(
        _ id: UInt64, _ tokens: [UInt32], _ tenant: String, salt: String = "", most: Int = 1
    ) -> EngineRequest {
        EngineRequest(
            id: id, tokens: tokens, limits: TokenLimits(maximumTokens: most, ignoresEndOfGeneration: true),
            owner: CacheOwner(tenant: tenant, salt: salt))
    }

    private static func cached(_ id: UInt64, _ bench: SchedulerTests.Bench) -> UInt32? {
        bench.rows[id]?.first?.details?.cachedTokens
    }

    @Test("A prompt is found in its tenant's cache, and in nobody else's")
    func tenantsShareNothing() throws {
        var bench = SchedulerTests.Bench(Self.settings())
        let prompt = SchedulerTests.prompt(40)
        for (id, tenant) in ["a", "b", "a", "b", ""].enumerated() {
            bench.scheduler.admit(Self.request(UInt64(id), prompt, tenant))
            try bench.runAll()
        }
        #expect((0..<5).map { Self.cached(UInt64($0), bench) } == [0, 0, 39, 39, 0])
    }

    @Test("Running requests of two tenants share no cells")
    func runningSharesNothing() throws {
        var bench = SchedulerTests.Bench(Self.settings())
        let prompt = SchedulerTests.prompt(30)
        for (id, tenant) in ["a", "b"].enumerated() {
            bench.scheduler.admit(Self.request(UInt64(id), prompt, tenant, most: 50))
            try bench.step()
        }
        try bench.step()
        #expect(Self.cached(1, bench) == 0)
        #expect(bench.scheduler.pool.usedCount >= 60)
    }

    @Test("A salt narrows what is shared within a tenant, and is no other tenant's name")
    func saltNarrows() throws {
        var bench = SchedulerTests.Bench(Self.settings())
        let prompt = SchedulerTests.prompt(40)
        let owners = [("a", ""), ("a", "x"), ("a", "x"), ("ax", ""), ("a", "")]
        for (id, owner) in owners.enumerated() {
            bench.scheduler.admit(Self.request(UInt64(id), prompt, owner.0, salt: owner.1))
            try bench.runAll()
        }
        #expect((0..<5).map { Self.cached(UInt64($0), bench) } == [0, 0, 39, 0, 39])
    }

    @Test("A preempted request keeps its owner")
    func preemptionKeepsOwner() throws {
        var settings = Self.settings()
        settings.contextCells = 64
        settings.contextLength = 64
        var bench = SchedulerTests.Bench(settings)
        let prompt = SchedulerTests.prompt(12)
        for id in 0..<4 as Range<UInt64> {
            bench.scheduler.admit(Self.request(id, prompt, "tenant \(id)", most: 40))
        }
        try bench.runAll()
        #expect(bench.scheduler.currentLoad.preemptions > 0)
        #expect((0..<4).allSatisfy { Self.cached(UInt64($0), bench) == 0 })
        #expect(bench.scheduler.currentLoad.cachedTokens == 0)
    }

    @Test("A listed prefix is shared by all, and not a token more")
    func commonPrefixes() throws {
        let common = SchedulerTests.prompt(20)
        // As it is listed, its end is one that no prompt has: tokens at a text's end depend on what follows.
        var bench = SchedulerTests.Bench(Self.settings(common: [[99], common + [98], [97, 96]]))
        let secret: [UInt32] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
        bench.scheduler.admit(Self.request(0, common + secret, "a"))
        try bench.runAll()
        bench.scheduler.admit(Self.request(1, common + secret, "b"))
        try bench.runAll()
        bench.scheduler.admit(Self.request(2, common + secret, "b"))
        try bench.runAll()
        bench.scheduler.admit(Self.request(3, Array(common.prefix(10)) + secret, "c"))
        try bench.runAll()
        #expect((0..<4).map { Self.cached(UInt64($0), bench) } == [0, 20, 29, 10])
    }

    /// What a tenant sees: for each of its rows the token, the step and the count of cached tokens, and what each step
    /// took.
    private struct Observation: Equatable {
        var rows: [[UInt64]] = []
        var durations: [UInt64] = []
    }

    /// Two tenants' traffic over the simulated engine, as `victim` makes the other's prompts out of the observer's.
    private static func observe(
        seed: UInt64, victim: (_ prompt: [UInt32]) -> [UInt32]
    ) throws -> Observation {
        var random = SeededGenerator(seed: seed)
        var engine = try SimulatedEngineTests.engine(.unlimited, cells: 256)
        var scheduler = Scheduler(SchedulerSettings(for: engine, tokenBudget: 32))
        var plan = StepPlan()
        var result = StepResult()
        var rows: [EngineRow] = []
        var seen = Observation()
        var id: UInt64 = 0
        for _ in 0..<400 {
            while id < 120, random.chance(0.3) {
                let beginning = UInt32(random.below(4))
                let prompt = SchedulerTests.prompt(20 + random.below(12), from: beginning)
                let isVictim = random.chance(0.5)
                let most = 1 + random.below(12)
                scheduler.admit(
                    request(id, isVictim ? victim(prompt) : prompt, isVictim ? "victim" : "observer", most: most))
                id = (id & ~1) + 2 + (isVictim ? 1 : 0)
            }
            guard scheduler.plan(into: &plan) else { continue }
            try engine.step(plan, into: &result)
            seen.durations.append(result.modelledDuration)
            scheduler.complete(result)
            scheduler.takeRows(into: &rows)
            for row in rows {
                seen.rows.append([
                    row.id, UInt64(row.index), scheduler.currentLoad.steps, UInt64(row.details?.cachedTokens ?? 0),
                ])
            }
        }
        return seen
    }

    @Test("With a tenant's prompts replaced by others of the same lengths, another sees the same", arguments: 1...20)
    func replacedPromptsShowNothing(seed: UInt64) throws {
        let guessed = try Self.observe(seed: seed) { $0 }
        let other = try Self.observe(seed: seed) { $0.map { ($0 + 1) % 90 } }
        #expect(guessed.rows.contains { $0[3] > 0 }, "no prompt was found in the cache: the test shows nothing")
        #expect(guessed == other, "seed \(seed)")
    }
}
