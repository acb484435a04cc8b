import Batching
import Engines
import Foundation
import Llama

/// The real model, and what the tests ask it.
enum Fixtures {
    static let modelPath: String = {
        let environment = ProcessInfo.processInfo.environment
        if let path = environment["TOKENFACTORY_MODEL"] { return path }
        let cache = environment["TOKENFACTORY_CACHE"] ?? NSHomeDirectory() + "/.cache/tokenfactory"
        return cache + "/models/smollm2-135m-instruct-q8_0.gguf"
    }()

    /// Loaded once for all tests; `scripts/setup.sh` puts it there.
    static let model = Result { try LlamaModel(path: modelPath) }

    private static let starts = [
        "Write a story about", "Explain in one sentence", "Name three facts about", "Give advice on",
        "What is the history of", "Compare cats with", "Write a poem about", "Describe to a child",
    ]
    private static let subjects = [
        "the sea", "bread", "gravity", "a small robot", "the Roman army", "winter", "trains", "honest work", "jazz",
        "volcanoes", "chess", "the alphabet", "coffee", "old maps", "bees", "a lost key", "numbers", "the moon",
        "gardens", "bridges", "silence", "glass", "rivers", "paper", "clocks",
    ]

    /// 200 different ones.
    static func prompts(_ model: LlamaModel, _ count: Int) throws -> [[UInt32]] {
        try (0..<count).map { index in
            let text =
                "<|im_start|>user\n\(starts[index % starts.count]) \(subjects[index / starts.count % subjects.count])."
                + "<|im_end|>\n<|im_start|>assistant\n"
            var tokens: [UInt32] = []
            let bytes = Array(text.utf8)
            try model.vocabulary.tokenize(bytes.span, parseSpecial: true, addSpecial: false, into: &tokens)
            return tokens
        }
    }
}

/// What a request made.
struct Answer {
    var tokens: [UInt32] = []
    /// For each token how near the choice was to a tie.
    var margins: [Float] = []
    var end: GenerationEnd?
    var cachedTokens: UInt32 = 0
}

extension LlamaEngine {
    /// Runs requests to their ends, all at once, or starting with as many as `startTogether` and admitting the next
    /// whenever one ends.
    mutating func run(
        _ requests: [EngineRequest], startTogether: Int = .max, retainedCells: Int? = nil, tokenBudget: Int = 512
    ) throws -> [UInt64: Answer] {
        var scheduler = Scheduler(
            SchedulerSettings(for: self, tokenBudget: tokenBudget, retainedCells: retainedCells))
        // Each run begins with an empty cache, whatever the one before left.
        scheduler.abandon(.stopped)
        var plan = StepPlan()
        var result = StepResult()
        var rows: [EngineRow] = []
        var answers: [UInt64: Answer] = [:]
        var admitted = min(startTogether, requests.count)
        for request in requests.prefix(admitted) { scheduler.admit(request) }
        while scheduler.plan(into: &plan) {
            try step(plan, into: &result)
            scheduler.complete(result)
            scheduler.takeRows(into: &rows)
            // Rows with tokens come in the order of the samples.
            var sample = 0
            for row in rows {
                if let token = row.token {
                    answers[row.id, default: Answer()].tokens.append(token)
                    answers[row.id, default: Answer()].margins.append(result.samples[sample].margin ?? .infinity)
                    sample += 1
                }
                if let details = row.details {
                    answers[row.id, default: Answer()].cachedTokens = details.cachedTokens
                    answers[row.id, default: Answer()].end = details.end
                }
                if row.end != nil, admitted < requests.count {
                    scheduler.admit(requests[admitted])
                    admitted += 1
                }
            }
        }
        return answers
    }
}
