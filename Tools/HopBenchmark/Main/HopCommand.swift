public import ArgumentParser
public import HopBenchmark

extension HopTransport: ExpressibleByArgument {}
extension BenchMode: ExpressibleByArgument {}

struct HopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hop",
        abstract: "One hop through codec, reactor and dispatcher against a bare libzmq ping-pong.",
        discussion: """
            Both between two processes (two threads for inproc), frames of the same sizes, rounds in alternation. \
            Modes: idle (one at a time with a pause), hot (one at a time), saturated (many under way).
            """)

    @Option(parsing: .upToNextOption, help: "tcp, ipc, inproc; default: all.") var transport: [HopTransport] = []
    @Option(parsing: .upToNextOption, help: "Bytes of token ids in a frame.") var bodies = [64, 1024, 16_384, 262_144]
    @Option(parsing: .upToNextOption, help: "idle, hot, saturated; default: all.") var modes: [BenchMode] = []
    @Flag(inversion: .prefixedNo, help: "Links without encryption.") var plain = true
    @Flag(inversion: .prefixedNo, help: "Links with CURVE.") var curve = true
    @Option(help: "Rounds of each kind.") var rounds = 5
    @Option(help: "Factor on the exchanges of a round.") var effort = 1.0
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard rounds > 0, effort > 0 else { throw ValidationError("--rounds and --effort must be above 0.") }
        guard bodies.allSatisfy({ (4...(1 << 22)).contains($0) }) else {
            throw ValidationError("--bodies are from 4 bytes to 4 MiB.")
        }
    }

    func run() async throws {
        var settings = HopSettings()
        settings.links = HopLink.all.filter { link in
            (transport.isEmpty || transport.contains(link.transport)) && (link.isEncrypted ? curve : plain)
        }
        settings.bodies = bodies
        if !modes.isEmpty { settings.modes = modes }
        settings.rounds = rounds
        settings.effort = effort
        let report = try await HopRun(settings, onProgress: note).perform()
        if output.json != "-" { print(report.text) }
        if let path = output.json { try ReportFile.write(json: report, to: path) }
        if let path = output.html { try ReportFile.write(html: report.page(), to: path) }
    }
}
