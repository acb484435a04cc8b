import ArgumentParser
import LoadGenerator

/// What requests ask.
struct PromptOptions: ParsableArguments {
    @Option(help: "Prompts: JSONL with `prompt` or `messages`, or a line each. Default: 64 built in.")
    var prompts: String?
    @Option(
        help: ArgumentHelp(
            "Prompts of so many random tokens instead: N, uniform:A,B, normal:MEAN,SD, lognormal:MEAN,SD or "
                + "mix:N@WEIGHT,N@WEIGHT…", valueName: "lengths"))
    var promptTokens: String?
    @Option(help: "Tokens that prompts of a group have in common, before their own.")
    var sharedPrefixTokens = 0
    @Option(help: "Groups of prompts with a common beginning.")
    var prefixGroups = 1
    @Option(help: ArgumentHelp("Tokens of an answer, in the same ways.", valueName: "lengths"))
    var maxTokens = "64"
    @Option(help: "Sampling temperature; 0 is greedy.")
    var temperature: Double?
    @Flag(help: "Answers go on past their end, up to --max-tokens.")
    var ignoreEos = false
    @Flag(help: "Each request has an idempotency key of its own: what a claim in the ledger costs.")
    var idempotencyKeys = false
    @Option(help: "Share of requests, 0 to 1, that are cancelled at a random token of the answer.")
    var cancelRate = 0.0
    @Option(help: "Repeats a run: arrival times, random prompts, lengths, sampling.")
    var seed: UInt64 = 1

    func validate() throws {
        if prompts != nil, promptTokens != nil { throw ValidationError("Give --prompts or --prompt-tokens, not both.") }
        if let temperature, !(0...2).contains(temperature) { throw ValidationError("--temperature is from 0 to 2.") }
        guard (0...1).contains(cancelRate) else { throw ValidationError("--cancel-rate is from 0 to 1.") }
        guard sharedPrefixTokens >= 0 else { throw ValidationError("--shared-prefix-tokens is 0 or more.") }
        try Positive.check("--prefix-groups", prefixGroups)
        if sharedPrefixTokens > 0, promptTokens == nil {
            throw ValidationError("--shared-prefix-tokens needs --prompt-tokens.")
        }
        _ = try validated("--max-tokens") { try LengthDistribution(maxTokens) }
        if let promptTokens { _ = try validated("--prompt-tokens") { try LengthDistribution(promptTokens) } }
    }

    func apply(to settings: inout LoadSettings) throws {
        settings.answerTokens = try LengthDistribution(maxTokens)
        settings.temperature = temperature
        settings.ignoresEndOfSequence = ignoreEos
        settings.cancelRate = cancelRate
        settings.hasKeys = idempotencyKeys
        settings.seed = seed
    }

    /// What makes the prompts of a run with this seed; whatever can be wrong with them is said here, and files are read
    /// once.
    func sources(
        _ trace: Trace?, _ endpoint: TargetOptions.Endpoint?
    ) throws -> @Sendable (UInt64) -> PromptSource {
        let form: RandomPrompts.Form =
            switch endpoint {
            case .chat: .chat
            case .completions, nil: .ids
            }
        if let trace, prompts == nil { return { .trace(trace, form: form, seed: $0) } }
        if let promptTokens {
            let lengths = try LengthDistribution(promptTokens)
            return { [sharedPrefixTokens, prefixGroups] seed in
                .random(
                    RandomPrompts(
                        lengths: lengths, prefixTokens: sharedPrefixTokens, prefixGroups: prefixGroups, form: form,
                        seed: seed))
            }
        }
        let texts = try prompts.map { path throws(LoadError) in try PromptSource(path: path) } ?? .builtIn
        let source = endpoint == .completions ? texts.completing() : texts
        return { _ in source }
    }
}
