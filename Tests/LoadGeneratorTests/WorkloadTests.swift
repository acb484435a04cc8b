import Testing

@testable import LoadGenerator

struct WorkloadTests {
    @Test func lengthsAreReadAsTheyAreWritten() throws {
        #expect(try LengthDistribution("512") == .fixed(512))
        #expect(try LengthDistribution("uniform:100,900") == .uniform(100...900))
        #expect(try LengthDistribution("normal:500,50") == .normal(mean: 500, deviation: 50))
        #expect(try LengthDistribution("lognormal:500,250") == .logNormal(mean: 500, deviation: 250))
        #expect(
            try LengthDistribution("mix:128@0.7,2048@0.3")
                == .mix([.init(length: 128, weight: 0.7), .init(length: 2048, weight: 0.3)]))
    }

    @Test(arguments: [
        "", "0", "-3", "many", "uniform:9,3", "uniform:3", "normal:0,1", "normal:5,-1", "lognormal:nan,1", "mix:",
        "mix:128", "mix:128@0", "mix:0@1", "mix:1@1,", "zipf:1,2", "uniform:1,1e99",
    ])
    func whatIsNoLengthIsSaid(text: String) {
        #expect(throws: LoadError.self) { try LengthDistribution(text) }
    }

    @Test func samplesFollowTheirDistributions() {
        func samples(_ lengths: LengthDistribution) -> [Double] {
            var generator = SeededGenerator(seed: 5)
            return (0..<20_000).map { _ in Double(lengths.sample(using: &generator)) }
        }
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
        func deviation(_ values: [Double]) -> Double {
            let mean = mean(values)
            return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)).squareRoot()
        }
        #expect(samples(.fixed(7)).allSatisfy { $0 == 7 })
        let even = samples(.uniform(10...30))
        #expect(even.min() == 10 && even.max() == 30 && abs(mean(even) - 20) < 0.2)
        let normal = samples(.normal(mean: 500, deviation: 50))
        #expect(abs(mean(normal) - 500) < 2 && abs(deviation(normal) - 50) < 1.5)
        let skewed = samples(.logNormal(mean: 500, deviation: 250))
        #expect(abs(mean(skewed) - 500) < 8 && abs(deviation(skewed) - 250) < 15)
        let mixed = samples(.mix([.init(length: 1, weight: 3), .init(length: 2, weight: 1)]))
        #expect(Set(mixed) == [1, 2] && abs(mean(mixed) - 1.25) < 0.02)
        #expect(samples(.normal(mean: 1, deviation: 100)).allSatisfy { $0 >= 1 })
    }

    @Test func promptsOfAGroupBeginAlike() {
        let prompts = RandomPrompts(lengths: .uniform(5...9), prefixTokens: 16, prefixGroups: 3, seed: 4)
        func tokens(_ index: Int) -> [UInt32] {
            if case .tokens(let tokens) = prompts.prompt(index) { tokens } else { [] }
        }
        #expect((0..<30).allSatisfy { (21...25).contains(tokens($0).count) })
        #expect(tokens(0).prefix(16) == tokens(3).prefix(16))
        #expect(tokens(0).prefix(16) != tokens(1).prefix(16))
        #expect(tokens(0).dropFirst(16) != tokens(3).dropFirst(16))
    }

    @Test func randomTextsHaveAWordForEachToken() {
        let prompts = RandomPrompts(lengths: .fixed(12), form: .chat, seed: 4)
        guard case .chat(let text) = prompts.prompt(2) else {
            Issue.record("no chat")
            return
        }
        #expect(text.split(separator: " ").count == 12)
    }

    @Test func someAreCancelledAndTheSeedSaysWhich() {
        var settings = LoadSettings(maximumTokens: 20, seed: 9)
        settings.cancelRate = 0.25
        let workload = Workload(settings, .builtIn)
        let items = (0..<4000).map { workload.item($0) }
        let cancels = items.compactMap(\.cancelAfter)
        #expect(abs(Double(cancels.count) / 4000 - 0.25) < 0.03)
        #expect(cancels.allSatisfy { (1..<20).contains($0) } && Set(cancels).count > 15)
        #expect(items.prefix(50) == (0..<50).map { Workload(settings, .builtIn).item($0) }[...])
        #expect(Set(items.map(\.seed)).count == 4000)
    }
}
