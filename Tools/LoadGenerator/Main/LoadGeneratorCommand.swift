import ArgumentParser
import Foundation
import LoadGenerator

@main
struct LoadGeneratorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loadgen",
        abstract: "Sends prompts to a token factory and says how fast, and whether, the answers came.",
        discussion: """
            Without --door and --http it uses http://127.0.0.1:8080. Exit status 1: an answer is missing or short, or \
            (with --ledger) unaccounted for. Times are as vLLM and AIPerf define them; in an open loop they count from \
            when a request was due, not from when it was sent.
            """)

    @Option(help: "The ZeroMQ door, tcp://HOST:PORT.")
    var door: String?
    @Option(help: "The HTTP door, http://HOST:PORT.")
    var http: String?
    @Option(help: "ZeroMQ connections, which all requests share.")
    var connections = 8
    @Option(help: "API key (or TOKENFACTORY_KEY).")
    var key: String?

    @Option(help: "Closed loop: so many streams.")
    var streams: Int?
    @Option(help: "Open loop: so many requests a second on average (Poisson).")
    var rate: Double?
    @Option(help: "Requests in all.")
    var requests: Int?
    @Option(help: "Seconds in which requests are sent.")
    var duration: Double?

    @Option(help: "Prompts: JSONL with `prompt` or `messages`, or a line each. Default: 64 built in.")
    var prompts: String?
    @Option(help: "Prompts of so many random tokens instead.")
    var promptTokens: Int?
    @Option(help: "Tokens of an answer.")
    var maxTokens = 64
    @Option(help: "Sampling temperature; 0 is greedy.")
    var temperature: Double?
    @Flag(help: "Answers go on past their end, up to --max-tokens.")
    var ignoreEos = false
    @Option(help: "Model; default: the one that the door names.")
    var model: String?
    @Option(help: "Repeats a run: arrival times, random prompts, sampling.")
    var seed: UInt64 = 1

    @Flag(help: "Ask for hop records and show where the time went.")
    var hops = false
    @Flag(help: "Print prompts and answers.")
    var showAnswers = false
    @Option(help: "Ledger to compare with, http://HOST:PORT of accounting.")
    var ledger: String?
    @Option(help: "Seconds that the ledger has to settle the last request.")
    var ledgerDeadline = 30.0
    @Option(help: "Seconds of silence after which a request is given up.")
    var timeout = 300.0
    @Option(help: "Write the figures as JSON; - is standard output.")
    var json: String?

    func validate() throws {
        if door != nil, http != nil { throw ValidationError("Give --door or --http, not both.") }
        if streams != nil, rate != nil { throw ValidationError("Give --streams or --rate, not both.") }
        if prompts != nil, promptTokens != nil { throw ValidationError("Give --prompts or --prompt-tokens, not both.") }
        try positive("--streams", streams)
        try positive("--requests", requests)
        try positive("--max-tokens", maxTokens)
        try positive("--prompt-tokens", promptTokens)
        try positive("--connections", connections)
        try positive("--rate", rate)
        try positive("--duration", duration)
        try positive("--timeout", timeout)
        if let temperature, !(0...2).contains(temperature) { throw ValidationError("--temperature is from 0 to 2.") }
    }

    private func positive<Value: Comparable & ExpressibleByIntegerLiteral>(_ name: String, _ value: Value?) throws {
        if let value, !(value > 0) { throw ValidationError("\(name) must be above 0.") }
    }

    func run() async throws {
        let arrival: LoadSettings.Arrival = rate.map { .open(rate: $0) } ?? .closed(streams: streams ?? 1)
        var settings = LoadSettings(
            arrival: arrival, requests: requests, duration: duration, maximumTokens: maxTokens,
            temperature: temperature, ignoresEndOfSequence: ignoreEos, wantsHops: hops, keepsText: showAnswers,
            seed: seed)
        if requests == nil, duration == nil { settings.requests = rate == nil ? max(streams ?? 1, 1) : nil }
        let source: PromptSource
        if let prompts {
            source = try PromptSource(path: prompts)
        } else if let promptTokens {
            source = .random(tokens: promptTokens, seed: seed)
        } else {
            source = .builtIn
        }

        let door = try await openDoor()
        let report: LoadReport
        do {
            report = try await send(settings, source, through: door)
        } catch {
            await door.close()
            throw error
        }
        await door.close()

        var accounted: LedgerCheck.Result?
        if let ledger {
            accounted = await LedgerCheck(base: ledger, deadline: ledgerDeadline).perform(report.claims)
        }
        try show(report, source, accounted)
        guard report.isFlawless, accounted?.isFlawless ?? true else { throw ExitCode(1) }
    }

    private func send(
        _ settings: LoadSettings, _ source: PromptSource, through door: any LoadDoor
    ) async throws -> LoadReport {
        let served: String
        if let model { served = model } else { served = try await door.servedModel() }
        let bar = ProgressBar(total: settings.requests)
        let run = LoadRun(settings: settings, prompts: source, door: door, model: served) { bar.show($0) }
        let report = await run.perform()
        bar.clear()
        return report
    }

    private func openDoor() async throws -> any LoadDoor {
        let key = key ?? ProcessInfo.processInfo.environment["TOKENFACTORY_KEY"]
        if let door {
            return try await LineDoor.connect(to: door, key: key, connections: connections, timeout: timeout)
        }
        // An open loop has no bound of its own on what is under way.
        let most = rate == nil ? streams ?? 1 : 65_536
        return HTTPDoor(base: http ?? "http://127.0.0.1:8080", key: key, connections: most, timeout: timeout)
    }

    private func show(_ report: LoadReport, _ source: PromptSource, _ ledger: LedgerCheck.Result?) throws {
        var text = ""
        for answer in report.answers {
            if case .chat(let prompt) = source.prompt(answer.index) { text += "> \(prompt)\n" }
            text += "\(answer.text)\n[\(answer.finish)]\n\n"
        }
        text += ReportTable(report, ledger: ledger).description + "\n"
        let output = json == "-" ? FileHandle.standardError : FileHandle.standardOutput
        output.write(Data(text.utf8))
        guard let json else { return }
        let data = Data(try ReportJSON(report, ledger: ledger).text().utf8)
        if json == "-" {
            FileHandle.standardOutput.write(data)
        } else {
            try data.write(to: URL(fileURLWithPath: json))
        }
    }
}
