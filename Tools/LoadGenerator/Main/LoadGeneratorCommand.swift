import ArgumentParser
import Foundation
import LoadGenerator
import Release

@main
struct LoadGeneratorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loadgen",
        abstract: "Sends prompts to a token factory, or to any OpenAI-compatible server, and measures the answers.",
        discussion: """
            Without --door and --http it uses http://127.0.0.1:8080. Exit status 1: an answer is missing or short, its \
            token counts contradict each other, or (with --ledger) it is unaccounted for. Times are as vLLM and AIPerf \
            define them; in an open loop they count from when a request was due, not from when it was sent.
            """, version: ProductVersion.text)

    @OptionGroup(title: "Target") var target: TargetOptions
    @OptionGroup(title: "Arrivals") var arrivals: ArrivalOptions
    @OptionGroup(title: "Prompts and answers") var prompts: PromptOptions
    @OptionGroup(title: "Measurement and output") var output: ReportOptions

    func validate() throws {
        if arrivals.isSweep, output.rounds > 1 { throw ValidationError("A sweep has one round.") }
    }

    func run() async throws {
        let trace = try arrivals.readTrace()
        if let trace, trace.skipped > 0 { say("\(trace.skipped) rows of the trace have no answer and are left out\n") }
        var settings = arrivals.settings(trace)
        try prompts.apply(to: &settings)
        try output.apply(to: &settings)
        let door = try await target.open(most: arrivals.mostConnections)
        do {
            let model: String
            if let named = target.model { model = named } else { model = try await door.servedModel() }
            let session = Session(
                command: self, source: try prompts.sources(trace, target.endpoint), door: door, model: model)
            let result = try await session.perform(settings)
            await door.close()
            try await show(result)
        } catch {
            await door.close()
            throw error
        }
    }

    /// What runs came to.
    private enum Result: Sendable {
        case run(LoadReport)
        case rounds(RoundsReport)
        case sweep(SweepReport)
    }

    /// Performs runs through one door.
    private struct Session: Sendable {
        let command: LoadGeneratorCommand
        let source: @Sendable (UInt64) -> PromptSource
        let door: any LoadDoor
        let model: String

        func perform(_ settings: LoadSettings) async throws -> Result {
            if let plan = try command.arrivals.plan() {
                let sweep = LoadSweep(plan, goesAround: command.arrivals.sweepAround) { await run($0) }
                return .sweep(
                    await sweep.perform(settings) { step in
                        command.say(
                            String(format: "%.4g", step.rate)
                                + " requests/s: \(step.report.completed) of \(step.report.sent) complete"
                                + (Knee.holds(step.point) ? "\n" : ", not kept up with\n"))
                    })
            }
            guard command.output.rounds > 1 else { return .run(await run(settings)) }
            var reports: [LoadReport] = []
            for round in 0..<command.output.rounds {
                var settings = settings
                settings.seed &+= UInt64(round)
                reports.append(await run(settings))
            }
            return .rounds(RoundsReport(reports))
        }

        private func run(_ settings: LoadSettings) async -> LoadReport {
            let bar = ProgressBar(total: settings.requests)
            let run = LoadRun(
                settings: settings, prompts: source(settings.seed), door: door, model: model
            ) { bar.show($0) }
            let report = await run.perform()
            bar.clear()
            return report
        }
    }

    // MARK: Output

    private func show(_ result: Result) async throws {
        let ledger = await check(result)
        switch result {
        case .run(let report):
            write(try answers(report) + ReportTable(report, ledger: ledger).description + "\n")
            try write(json: ReportJSON(report, ledger: ledger, isDetailed: output.detailed).text())
            try write(html: LoadPage(report, ledger: ledger, command: line))
            guard report.isFlawless, ledger?.isFlawless ?? true else { throw ExitCode(1) }
        case .rounds(let rounds):
            var text = ""
            for (number, report) in rounds.rounds.enumerated() {
                let isLast = number == rounds.rounds.count - 1
                text +=
                    "round \(number + 1)\n" + ReportTable(report, ledger: isLast ? ledger : nil).description + "\n\n"
            }
            write(text + rounds.table + "\n")
            try write(json: rounds.json(ledger: ledger))
            try write(html: LoadPage(rounds, ledger: ledger, command: line))
            guard rounds.isFlawless, ledger?.isFlawless ?? true else { throw ExitCode(1) }
        case .sweep(let sweep):
            write(sweep.table + "\n" + (ledger.map { "ledger     \($0.faults.count) unaccounted\n" } ?? ""))
            try write(json: sweep.json(ledger: ledger))
            try write(html: LoadPage(sweep, ledger: ledger, command: line))
            guard sweep.isFlawless, ledger?.isFlawless ?? true else { throw ExitCode(1) }
        }
    }

    private func check(_ result: Result) async -> LedgerCheck.Result? {
        guard let ledger = output.ledger else { return nil }
        let claims =
            switch result {
            case .run(let report): report.claims
            case .rounds(let rounds): rounds.claims
            case .sweep(let sweep): sweep.claims
            }
        return await LedgerCheck(base: ledger, key: target.apiKey, deadline: output.ledgerDeadline).perform(claims)
    }

    private func answers(_ report: LoadReport) throws -> String {
        guard !report.answers.isEmpty else { return "" }
        let source = try prompts.sources(arrivals.readTrace(), target.endpoint)(report.settings.seed)
        return report.answers.map { answer in
            var text = ""
            switch source.prompt(answer.index) {
            case .chat(let prompt), .text(let prompt): text = "> \(prompt)\n"
            case .tokens: break
            }
            return text + "\(answer.text)\n[\(answer.finish)]\n\n"
        }.joined()
    }

    /// What was asked for, without secrets.
    private var line: String {
        var words = ["loadgen"]
        var isSecret = false
        for word in CommandLine.arguments.dropFirst() {
            words.append(isSecret ? "…" : word.hasPrefix("--key=") || word.hasPrefix("--header=") ? "…" : word)
            isSecret = word == "--key" || word == "--header"
        }
        return words.joined(separator: " ")
    }

    private func write(_ text: String) {
        (output.json == "-" ? FileHandle.standardError : .standardOutput).write(Data(text.utf8))
    }

    private func write(json: @autoclosure () throws -> String) throws {
        guard let path = output.json else { return }
        let data = Data(try json().utf8)
        if path == "-" {
            FileHandle.standardOutput.write(data)
        } else {
            try data.write(to: URL(fileURLWithPath: path))
        }
    }

    private func write(html: @autoclosure () -> LoadPage) throws {
        guard let path = output.html else { return }
        try Data(html().html().utf8).write(to: URL(fileURLWithPath: path))
    }

    fileprivate func say(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
