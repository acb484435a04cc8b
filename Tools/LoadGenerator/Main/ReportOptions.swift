import ArgumentParser
import LoadGenerator

/// What is measured, and where it is written.
struct ReportOptions: ParsableArguments {
    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "What a good answer meets, in ms: ttft:N tpot:N e2el:N, or an MLPerf scenario's TTFT and TPOT, "
                + "mlperf:llama2-70b-server and the like.", valueName: "name:ms"))
    var goodput: [String] = []
    @Option(help: "How many accelerators the service has, for throughput of each in the JSON.")
    var accelerators: Int?
    @Option(
        help: "Leave the first seconds out, and what comes after the first stream has ended: the steady state only.")
    var warmup: Double?
    @Option(help: "Runs, one after the other; medians and spread are shown.")
    var rounds = 1
    @Flag(help: "Ask for hop records and show where the time went.")
    var hops = false
    @Flag(help: "Print prompts and answers.")
    var showAnswers = false
    @Option(help: "Ledger to compare with, http://HOST:PORT of accounting.")
    var ledger: String?
    @Option(help: "Seconds that the ledger has to settle the last request.")
    var ledgerDeadline = 30.0
    @Option(help: "Write the figures as JSON; - is standard output.")
    var json: String?
    @Flag(help: "JSON with lists of what each request of a run came to.")
    var detailed = false
    @Option(help: "Write a page with plots; it needs no network.")
    var html: String?

    func validate() throws {
        try Positive.check("--rounds", rounds)
        try Positive.check("--accelerators", accelerators)
        if let warmup, !(warmup >= 0) { throw ValidationError("--warmup is 0 or more.") }
        _ = try validated("--goodput") { try ServiceObjectives(goodput) }
    }

    func apply(to settings: inout LoadSettings) throws {
        settings.objectives = try ServiceObjectives(goodput)
        settings.accelerators = accelerators
        settings.warmup = warmup
        settings.wantsHops = hops
        settings.keepsText = showAnswers
    }
}
