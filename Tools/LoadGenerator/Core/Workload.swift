/// What a run's requests ask, by their number: the same for the same settings.
struct Workload: Sendable {
    struct Item: Equatable, Sendable {
        var prompt: LoadPrompt
        var maximumTokens: Int
        var seed: UInt64
        var cancelAfter: Int?
    }

    private let prompts: PromptSource
    private let answers: LengthDistribution
    private let cancelRate: Double
    private let seed: UInt64

    init(_ settings: LoadSettings, _ prompts: PromptSource) {
        self.prompts = prompts
        answers = settings.answerTokens ?? .fixed(settings.maximumTokens)
        cancelRate = settings.cancelRate
        seed = settings.seed
    }

    func item(_ index: Int) -> Item {
        var generator = SeededGenerator(seed: seed &+ UInt64(index) &* 0x9FB2_1C65_1E98_DF25)
        let sampling = generator.next()
        let tokens = prompts.answerTokens(index) ?? answers.sample(using: &generator)
        var item = Item(prompt: prompts.prompt(index), maximumTokens: tokens, seed: sampling)
        if cancelRate > 0, Double.random(in: 0..<1, using: &generator) < cancelRate {
            item.cancelAfter = Int.random(in: 1...max(1, tokens - 1), using: &generator)
        }
        return item
    }
}
