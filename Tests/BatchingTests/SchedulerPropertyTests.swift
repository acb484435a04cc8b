import Testing

@testable import Batching

/// Random traffic against random limits; every plan is checked by an engine that models the KV cache.
@Suite struct SchedulerPropertyTests {
    static let seeds = (0..<60).map { UInt64($0) }

    struct Expected {
        var request: EngineRequest
        var tokens: [UInt32]
        var end: GenerationEnd
        var cancelledAtStep: Int?
        var rows: [EngineRow] = []
    }

    @Test("Every request ends once, with the tokens that it has alone", arguments: seeds)
    func randomTraffic(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let cells = 40 + random.below(400)
        var settings = SchedulerSettings(
            tokenBudget: 2 + random.below(64), contextCells: cells, maximumSequences: 1 + random.below(12),
            contextLength: 10 + random.below(cells), vocabularySize: 50,
            retainedCells: [0, cells / 4, cells][random.below(3)], minimumSharedTokens: 1 + random.below(4),
            patience: random.below(20))
        // One of the beginnings that requests have.
        if random.chance(0.5) { settings.commonPrefixes = [(0..<8).map { $0 * 3 % 50 }] }
        var scheduler = Scheduler(settings)
        var engine = CheckingEngine(
            vocabularySize: 50, contextCells: cells, maximumSequences: settings.maximumSequences,
            maximumStepTokens: settings.tokenBudget, end: 7)
        var requests: [UInt64: Expected] = [:]
        var energy: UInt64 = 0
        var nextID: UInt64 = 1
        var plan = StepPlan()
        var result = StepResult()
        var rows: [EngineRow] = []
        let replay: Comment = "seed \(seed); replay: swift test --filter 'SchedulerPropertyTests/randomTraffic'"

        var step = 0
        while step < 4000 {
            step += 1
            if nextID <= 80, random.chance(0.3) {
                let request = Self.request(nextID, scheduler.settings, &random)
                requests[nextID] = Self.expectation(for: request, scheduler.settings)
                scheduler.admit(request)
                nextID += 1
            }
            if random.chance(0.02), let id = requests.keys.sorted().randomElement(using: &random) {
                let wasHeld = requests[id]?.rows.last?.end == nil
                let isHeld = scheduler.cancel(id)
                if wasHeld && isHeld { requests[id]?.cancelledAtStep = step }
            }
            let planned = scheduler.plan(into: &plan, now: UInt64(step))
            if planned {
                let used = scheduler.pool.usedCount
                let reserved = scheduler.reservedCells
                try engine.step(plan, into: &result)
                try #require(engine.complaints.isEmpty, replay)
                try #require(engine.cellsInUse == used - reserved && used <= cells, replay)
                energy += result.energy?.microjoules ?? 0
                scheduler.complete(result)
                try #require(Self.holders(of: scheduler) == scheduler.pool.holderCounts.map(Int.init), replay)
            }
            scheduler.takeRows(into: &rows)
            for row in rows {
                try #require(requests[row.id]?.rows.last?.end == nil, replay)
                requests[row.id]?.rows.append(row)
            }
            if nextID > 80, scheduler.isIdle { break }
            try #require(planned || scheduler.isIdle, "stuck; \(replay)")
        }

        #expect(scheduler.isIdle, replay)
        var attributed: UInt64 = 0
        for expected in requests.values {
            Self.check(expected, replay)
            attributed += expected.rows.last?.details?.usage.microjoules ?? 0
        }
        #expect(attributed == energy, replay)
        #expect(scheduler.pool.pinnedCount == 0, replay)
        #expect(scheduler.pool.retainedCount <= settings.retainedCells, replay)
    }

    private static func request(
        _ id: UInt64, _ settings: SchedulerSettings, _ random: inout SeededGenerator
    ) -> EngineRequest {
        // A few beginnings, so that prefixes are shared.
        let beginning = UInt32(random.below(3))
        let common = (0..<UInt32(random.below(12))).map { ($0 * 3 + beginning) % 50 }
        let own = (0..<random.below(random.chance(0.1) ? settings.contextLength + 3 : 15)).map { _ in
            UInt32(random.below(random.chance(0.001) ? 60 : 50))
        }
        let tokens = common + own
        return EngineRequest(
            id: id, tokens: tokens, generatedCount: random.chance(0.2) ? random.below(tokens.count + 1) : 0,
            limits: TokenLimits(
                maximumTokens: random.below(40), minimumTokens: random.below(10),
                ignoresEndOfGeneration: random.chance(0.3)),
            owner: CacheOwner(tenant: random.chance(0.5) ? "a" : "b"))
    }

    /// What the request gives alone, worked out without a scheduler.
    private static func expectation(for request: EngineRequest, _ settings: SchedulerSettings) -> Expected {
        func ended(_ end: GenerationEnd) -> Expected { Expected(request: request, tokens: [], end: end) }
        if request.promptCount == 0 { return ended(.failed(.emptyPrompt)) }
        if request.promptCount >= settings.contextLength {
            return ended(
                .failed(.promptTooLong(tokens: request.promptCount, contextLength: settings.contextLength)))
        }
        if let token = request.tokens.first(where: { $0 >= 50 }) { return ended(.failed(.unknownToken(token))) }
        var tokens = request.tokens
        var end: GenerationEnd?
        while end == nil {
            let index = tokens.count - request.promptCount
            if index >= request.limits.maximumTokens || tokens.count >= settings.contextLength {
                end = .length
                break
            }
            let masked: UInt32? = index < request.limits.minimumTokens ? 7 : nil
            let token = CheckingEngine.next(after: tokens, vocabularySize: 50, masked: masked)
            tokens.append(token)
            if token == 7, !request.limits.ignoresEndOfGeneration { end = .endOfGeneration }
        }
        return Expected(
            request: request, tokens: Array(tokens.dropFirst(request.tokens.count)), end: end ?? .length)
    }

    private static func check(_ expected: Expected, _ replay: Comment) {
        let rows = expected.rows
        let made = rows.compactMap(\.token)
        #expect(rows.count(where: { $0.end != nil }) == 1, replay)
        #expect(rows.last?.end != nil, replay)
        #expect(rows.first?.details?.isFirst == true, replay)
        #expect(rows.dropFirst().allSatisfy { $0.details?.isFirst != true }, replay)
        #expect(rows.dropFirst().dropLast().allSatisfy { $0.details == nil }, replay)
        if expected.cancelledAtStep == nil {
            #expect(made == expected.tokens, replay)
            #expect(rows.last?.end == expected.end, replay)
            #expect(rows.last?.details?.usage.produced == UInt32(made.count), replay)
        } else {
            #expect(rows.last?.end == .cancelled, replay)
            #expect(made == Array(expected.tokens.prefix(made.count)), replay)
        }
        for (offset, row) in rows.enumerated() where row.token != nil {
            #expect(row.index == UInt32(expected.request.generatedCount + offset), replay)
        }
        if let first = rows.first?.details {
            #expect(Int(first.cachedTokens) < max(1, expected.request.tokens.count), replay)
        }
    }

    private static func holders(of scheduler: Scheduler) -> [Int] {
        var counts = [Int](repeating: 0, count: scheduler.settings.contextCells)
        for slot in scheduler.slots {
            for cell in slot.cells { counts[Int(cell)] += 1 }
        }
        return counts
    }
}

extension Scheduler {
    /// Cells of prompts' tokens that the step does not compute yet.
    fileprivate var reservedCells: Int {
        running.reduce(0) { $0 + slots[$1].cells.count - slots[$1].computed - slots[$1].planned }
    }
}
