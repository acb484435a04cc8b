import Testing

@testable import Batching

@Suite struct SimulatedEngineTests {
    static func engine(
        _ length: SimulatedEngine.AnswerLength = .unlimited, timeScale: Double = 0, cells: Int = 512
    ) throws -> SimulatedEngine {
        let accelerator = try #require(Accelerator.named("H100"))
        return try SimulatedEngine(
            SimulatedEngine.Options(
                model: StepModel(accelerator: accelerator, shape: .llama8B), timeScale: timeScale,
                tokenTable: Array(10..<60), vocabularySize: 100, endOfGeneration: [2], answerLength: length,
                contextCells: cells, maximumSequences: 8))
    }

    /// Runs requests together and gives each one's tokens.
    static func run(_ requests: [EngineRequest], _ engine: SimulatedEngine, budget: Int = 32) throws -> [UInt64:
        [UInt32]]
    {
        var engine = engine
        var scheduler = Scheduler(SchedulerSettings(for: engine, tokenBudget: budget))
        var plan = StepPlan()
        var result = StepResult()
        var rows: [EngineRow] = []
        var tokens: [UInt64: [UInt32]] = [:]
        for request in requests { scheduler.admit(request) }
        while scheduler.plan(into: &plan) {
            try engine.step(plan, into: &result)
            scheduler.complete(result)
            scheduler.takeRows(into: &rows)
            for row in rows { if let token = row.token { tokens[row.id, default: []].append(token) } }
        }
        return tokens
    }

    static func request(_ id: UInt64, generated: [UInt32] = [], most: Int = 50) -> EngineRequest {
        EngineRequest(
            id: id, tokens: (0..<20).map { UInt32(($0 * Int(id)) % 90) } + generated, generatedCount: generated.count,
            limits: TokenLimits(maximumTokens: most))
    }

    @Test(
        "Alone, in a batch, short of cells and resumed, an answer is the same",
        arguments: [
            SimulatedEngine.AnswerLength.unlimited, .varied(mean: 20),
        ])
    func sameAnswer(length: SimulatedEngine.AnswerLength) throws {
        let requests = (1...8).map { Self.request($0) }
        let together = try Self.run(requests, Self.engine(length))
        let cramped = try Self.run(requests, Self.engine(length, cells: 128), budget: 9)
        #expect(together == cramped)
        for request in requests {
            let alone = try Self.run([request], Self.engine(length))
            let whole = try #require(alone[request.id])
            #expect(whole == together[request.id])
            for cut in [1, whole.count / 2, whole.count - 1] where cut > 0 && cut < whole.count {
                let rest = try Self.run(
                    [Self.request(request.id, generated: Array(whole.prefix(cut)))], Self.engine(length))
                #expect(rest[request.id] == Array(whole.dropFirst(cut)))
            }
        }
        #expect(Set(together.values.map { $0.prefix(8) }).count == 8)
    }

    @Test("Lengths vary when asked to, and then end with an end-of-generation token")
    func lengths() throws {
        let fixed = try Self.run((1...8).map { Self.request($0) }, Self.engine())
        #expect(fixed.values.allSatisfy { $0.count == 50 && !$0.contains(2) })
        let varied = try Self.run((1...8).map { Self.request($0, most: 500) }, Self.engine(.varied(mean: 20)))
        #expect(varied.values.allSatisfy { $0.last == 2 && $0.count <= 40 })
        #expect(Set(varied.values.map(\.count)).count > 3)
    }

    @Test("A step costs what the roofline says")
    func cost() throws {
        let accelerator = try #require(Accelerator.named("h100"))
        let model = StepModel(
            accelerator: accelerator, shape: .llama8B, computeEfficiency: 1, bandwidthEfficiency: 1, overhead: 0)
        let decode = model.cost(tokens: 1, contextTokens: 0)
        #expect(abs(decode.duration - 16.06e9 / 3.35e12 * 1e9) < 1)
        let prefill = model.cost(tokens: 8192, contextTokens: 8192)
        #expect(abs(prefill.duration - 2 * 8.03e9 * 8192 / 989e12 * 1e9) < 1)
        let power = try #require(decode.power)
        #expect(power > 98 && power <= 700)
        #expect(try #require(prefill.power) <= 700)
    }

    @Test("The power model is near the two measurements that it was fitted to")
    func fittedPower() throws {
        let model = StepModel(accelerator: try #require(Accelerator.named("h100")), shape: .llama8B)
        let eight = model.cost(tokens: 8, contextTokens: 8 * 600)
        let full = model.cost(tokens: 511, contextTokens: 511 * 600)
        #expect(abs(try #require(eight.power) - 486) < 60)
        #expect(abs(try #require(full.power) - 688) < 60)
    }

    @Test("Time scale stretches the wait, not the figures")
    func timeScale() throws {
        var waits: [Double: (UInt64, UInt64, UInt64?)] = [:]
        for scale in [0, 0.5, 1] {
            var engine = try Self.engine(timeScale: scale)
            var scheduler = Scheduler(SchedulerSettings(for: engine))
            var plan = StepPlan()
            var result = StepResult()
            scheduler.admit(Self.request(1))
            let hasStep1 = scheduler.plan(into: &plan)
            #expect(hasStep1)
            try engine.step(plan, into: &result)
            waits[scale] = (result.wait, result.modelledDuration, result.energy?.microjoules)
        }
        let full = try #require(waits[1])
        #expect(waits[0]?.0 == 0)
        #expect(full.0 == full.1)
        #expect(waits[0.5]?.0 == full.1 / 2)
        #expect(waits.values.allSatisfy { $0.1 == full.1 && $0.2 == full.2 && $0.2 ?? 0 > 0 })
        #expect(try #require(full.2) > full.1 * 98 / 1000 && full.2 ?? 0 < full.1 * 700 / 1000)
    }

    @Test("FP8 is twice BF16, FP4 at least twice FP8: dense figures throughout the catalogue")
    func catalogue() {
        for entry in Accelerator.catalogue {
            #expect(Accelerator.named(entry.id.uppercased()) == entry)
            guard let bf16 = entry.bf16, let fp8 = entry.fp8 else { continue }
            #expect(abs(fp8 / bf16 - 2) < 0.03)
            if let fp4 = entry.fp4 { #expect(fp4 / fp8 > 1.99) }
        }
    }

    @Test("Bad options are refused")
    func badOptions() throws {
        let small = try #require(Accelerator.named("l4"))
        let model = StepModel(accelerator: small, shape: .llama70B)
        #expect(throws: EngineError.self) {
            try SimulatedEngine(SimulatedEngine.Options(model: model, tokenTable: [1], vocabularySize: 10))
        }
        #expect(throws: EngineError.self) {
            try SimulatedEngine(SimulatedEngine.Options(model: model, tokenTable: [], vocabularySize: 10))
        }
    }
}
