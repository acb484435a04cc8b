public import ArgumentParser
import Foundation
public import HopBenchmark

extension LineLink: ExpressibleByArgument {}

/// Where the services' programs are.
struct ProgramOptions: ParsableArguments {
    @Option(help: "Folder of the services' programs; default: this program's.") var programs: String?

    var folder: String { programs ?? URL(fileURLWithPath: PeerCommand.ownProgram).deletingLastPathComponent().path }
}

struct LineCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "line",
        abstract: "The latency of the whole line, hop by hop, against a bare C relay chain.",
        discussion: """
            Starts a cluster with a zero-cost simulated engine, or measures a running one by --door. With \
            --inject-delay it shows that a delay of one link appears in that hop and in no other; exit status 1 if not.
            """)

    @Option(help: "ZeroMQ door of a running cluster, tcp://HOST:PORT.") var door: String?
    @Option(help: "HTTP door of a running cluster, HOST:PORT.") var http: String?
    @Option(help: "API key of a running cluster (or TOKENFACTORY_KEY).") var key: String?
    @Flag(inversion: .prefixedNo, help: "With accounting, in a cluster that is started here.") var accounting = true
    @Flag(help: "Beside it a second cluster with CURVE on every link, and a C relay chain with CURVE.") var curve =
        false
    @Option(help: "Token ids of a prompt, four bytes each: 4096 are 16 KB.") var promptTokens = 32
    @Option(parsing: .upToNextOption, help: "hot, idle.") var modes: [BenchMode] = [.hot, .idle]
    @Option(help: "Rounds of each kind.") var rounds = 5
    @Option(help: "Requests of each kind in a hot round.") var requests = 2000
    @Option(help: "Requests of each kind in an idle round.") var idleRequests = 100
    @Option(
        parsing: .upToNextOption,
        help: "LINK MICROSECONDS: client-ingest, ingest-tokenizer or tokenizer-worker.")
    var injectDelay: [String] = []
    @OptionGroup var programs: ProgramOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard rounds > 0, requests > 0, idleRequests > 0 else {
            throw ValidationError("--rounds, --requests and --idle-requests must be above 0.")
        }
        guard (1...1 << 18).contains(promptTokens) else { throw ValidationError("--prompt-tokens are 1 to 262144.") }
        if modes.contains(.saturated) { throw ValidationError("--modes are hot and idle.") }
        if curve, door != nil || !injectDelay.isEmpty {
            throw ValidationError("--curve goes with neither --door nor --inject-delay.")
        }
        if http != nil, door == nil { throw ValidationError("--http goes with --door.") }
        if !injectDelay.isEmpty {
            guard try delay() != nil, door == nil, output.html == nil else {
                throw ValidationError("--inject-delay goes with neither --door nor --html.")
            }
        }
    }

    private func delay() throws -> (link: LineLink, microseconds: Int)? {
        guard !injectDelay.isEmpty else { return nil }
        guard injectDelay.count == 2, let link = LineLink(rawValue: injectDelay[0]),
            let microseconds = Int(injectDelay[1]), microseconds > 0
        else {
            let links = LineLink.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--inject-delay LINK MICROSECONDS, with one of \(links).")
        }
        return (link, microseconds)
    }

    func run() async throws {
        if let delay = try delay() {
            let report = try await DelayRun(
                programs: programs.folder, link: delay.link, microseconds: delay.microseconds, onProgress: note
            ).perform()
            if output.json != "-" { print(report.text) }
            if let path = output.json { try ReportFile.write(json: report, to: path) }
            if !report.isRight { throw ExitCode(1) }
            return
        }
        var settings = LineBenchSettings(programs: programs.folder)
        settings.running = door.map { ($0, http) }
        settings.key = key ?? ProcessInfo.processInfo.environment["TOKENFACTORY_KEY"] ?? ""
        settings.serverKey = ProcessInfo.processInfo.environment["TOKENFACTORY_SERVER_KEY"] ?? ""
        settings.hasAccounting = accounting
        settings.hasCURVE = curve
        settings.promptTokens = promptTokens
        settings.modes = modes
        settings.rounds = rounds
        settings.requests = requests
        settings.idleRequests = idleRequests
        let report = try await LineRun(settings, onProgress: note).perform()
        if output.json != "-" { print(report.text) }
        if let path = output.json { try ReportFile.write(json: report, to: path) }
        if let path = output.html { try ReportFile.write(html: report.page(), to: path) }
    }
}
