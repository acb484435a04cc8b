import Testing

@testable import Batching

@Suite struct TokenRulesTests {
    @Test("A bias shifts a logit before anything else; what is not there or not a number is nothing")
    func biases() throws {
        var sampler = Sampler(vocabularySize: 10, endOfGeneration: [2])
        let none: [UInt32] = []
        let logits: [Float] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
        func token(_ biases: [TokenBias], masks: Bool = false) -> UInt32? {
            let request = SampleRequest(
                entry: 0, index: 0, promptDigest: 0, sampling: SamplingSettings(),
                masksEndOfGeneration: masks)
            let rules = TokenRules(stops: [4], biases: biases)
            return sampler.sample(logits.span, for: request, rules: rules, history: none.span)?.token
        }
        #expect(token([]) == 9)
        #expect(token([TokenBias(token: 1, bias: 8.5)]) == 1)
        #expect(token([TokenBias(token: 9, bias: -100)]) == 8)
        #expect(token([TokenBias(token: 3, bias: .infinity), TokenBias(token: 0, bias: 99)]) == 3)
        #expect(token([TokenBias(token: 3, bias: .nan), TokenBias(token: 99, bias: 100)]) == 9)
        // A stop token is masked with the end-of-generation tokens, whatever its bias.
        #expect(token([TokenBias(token: 4, bias: 100), TokenBias(token: 2, bias: 100)], masks: true) == 9)
    }

    @Test("A bias counts for tokens that are drawn, too")
    func drawn() throws {
        var sampler = Sampler(vocabularySize: 64, endOfGeneration: [])
        let none: [UInt32] = []
        let logits = [Float](repeating: 0, count: 64)
        for index in 0..<20 as Range<UInt32> {
            let request = SampleRequest(
                entry: 0, index: index, promptDigest: 0, sampling: SamplingSettings(seed: 7, temperature: 1))
            let rules = TokenRules(biases: [TokenBias(token: 40, bias: 100)])
            let token = sampler.sample(logits.span, for: request, rules: rules, history: none.span)
            #expect(token?.token == 40)
        }
    }

    @Test("A stop token ends the answer as the model's own end does, after the minimum, whole or resumed")
    func stopTokens() throws {
        let whole = try Self.run(Self.request(most: 40)).tokens
        let stop = whole[20]
        let first = try #require(whole.firstIndex(of: stop))
        let stopped = try Self.run(Self.request(most: 40, stops: [99, stop]))
        #expect(stopped.tokens == Array(whole.prefix(first + 1)))
        #expect(stopped.end == .endOfGeneration)
        #expect(stopped.produced == UInt32(first + 1))
        for cut in 1..<first + 1 {
            let rest = try Self.run(Self.request(most: 40, stops: [stop], generated: Array(whole.prefix(cut))))
            #expect(rest.tokens == Array(whole[cut...first]))
            #expect(rest.end == .endOfGeneration)
        }
        let late = try Self.run(Self.request(most: 40, least: first + 5, stops: [stop]))
        #expect(late.tokens.count > first + 5 || late.end == .length)
        #expect(!late.tokens.prefix(first + 5).contains(stop))
    }

    @Test("The simulated engine keeps to biases that forbid and that force")
    func simulatedBiases() throws {
        let whole = try Self.run(Self.request(most: 40)).tokens
        let without = try Self.run(Self.request(most: 40, biases: [TokenBias(token: whole[0], bias: -100)])).tokens
        #expect(without.count == 40 && !without.contains(whole[0]))
        let forced = try Self.run(Self.request(most: 5, biases: [TokenBias(token: 61, bias: 100)])).tokens
        #expect(forced == [61, 61, 61, 61, 61])
    }

    static func request(
        most: Int, least: Int = 0, stops: [UInt32] = [], biases: [TokenBias] = [], generated: [UInt32] = []
    ) -> EngineRequest {
        EngineRequest(
            id: 1, tokens: Array(0..<20) + generated, generatedCount: generated.count,
            limits: TokenLimits(maximumTokens: most, minimumTokens: least, ignoresEndOfGeneration: true),
            rules: TokenRules(stops: stops, biases: biases))
    }

    static func run(_ request: EngineRequest) throws -> (tokens: [UInt32], end: GenerationEnd?, produced: UInt32?) {
        var engine = try SimulatedEngineTests.engine()
        var scheduler = Scheduler(SchedulerSettings(for: engine, tokenBudget: 32))
        var plan = StepPlan()
        var result = StepResult()
        var rows: [EngineRow] = []
        var tokens: [UInt32] = []
        var last: EngineRow?
        scheduler.admit(request)
        while scheduler.plan(into: &plan) {
            try engine.step(plan, into: &result)
            scheduler.complete(result)
            scheduler.takeRows(into: &rows)
            tokens += rows.compactMap(\.token)
            last = rows.last ?? last
        }
        return (tokens, last?.end, last?.details?.usage.produced)
    }
}
