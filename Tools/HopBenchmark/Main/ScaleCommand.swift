import ArgumentParser
import Foundation
import HopBenchmark

struct ScaleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scale",
        abstract: "Tokens per second of the control plane alone, its CPU cost by service, many simulated workers.",
        discussion: "loadgen loads the ZeroMQ door and wrk, where it is, the HTTP door.")

    @Option(parsing: .upToNextOption, help: "Streams.") var streams = [64, 256, 1024, 4096]
    @Option(parsing: .upToNextOption, help: "Numbers of simulated workers at real time scale.")
    var workers = [1, 2, 4, 8, 16, 32, 64]
    @Flag(help: "No doors, only workers.") var onlyWorkers = false
    @Flag(help: "No workers, only doors.") var onlyDoors = false
    @Flag(inversion: .prefixedNo, help: "Measure without accounting as well.") var withoutAccounting = true
    @Flag(help: "The ZeroMQ door once more with CURVE on every link.") var curve = false
    @Option(help: "Tokens of a prompt.") var promptTokens = 32
    @Option(help: "Tokens of an answer.") var maxTokens = 128
    @Option(help: "Seconds of each measurement.") var seconds = 3.0
    @Option(help: "Rounds of each measurement.") var rounds = 1
    @Option(help: "wrk; default: the one in PATH.") var wrk: String?
    @OptionGroup var programs: ProgramOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard seconds > 0, rounds > 0, promptTokens > 0, maxTokens > 0, (streams + workers).allSatisfy({ $0 > 0 })
        else { throw ValidationError("Numbers must be above 0.") }
    }

    func run() async throws {
        var settings = ScaleSettings(programs: programs.folder)
        settings.wrk = wrk ?? Self.find("wrk")
        settings.streams = onlyWorkers ? [] : streams
        settings.workers = onlyDoors ? [] : workers
        settings.accounting = withoutAccounting ? [true, false] : [true]
        settings.hasCURVE = curve
        settings.promptTokens = promptTokens
        settings.maximumTokens = maxTokens
        settings.seconds = seconds
        settings.rounds = rounds
        if settings.wrk == nil, !onlyWorkers { note("no wrk in PATH: the HTTP door is left out") }
        let report = try await ScaleRun(settings, onProgress: note).perform()
        if output.json != "-" { print(report.text) }
        if let path = output.json { try ReportFile.write(json: report, to: path) }
        if let path = output.html { try ReportFile.write(html: report.page(), to: path) }
    }

    private static func find(_ program: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(program)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}
