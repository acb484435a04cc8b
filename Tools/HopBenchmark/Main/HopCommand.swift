public import ArgumentParser
public import HopBenchmark

extension HopTransport: ExpressibleByArgument {}
extension BenchMode: ExpressibleByArgument {}

struct HopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hop",
        abstract: "One hop through codec, reactor and dispatcher against a bare libzmq ping-pong, and against gRPC.",
        discussion: """
            Both between two processes (two threads for inproc), frames of the same sizes, rounds in alternation. \
            Beside them, on plain links between processes, unary and streaming gRPC with the same bodies, where \
            grpc-bench is. Modes: idle (one at a time with a pause), hot (one at a time), saturated (many under way).
            """)

    @Option(parsing: .upToNextOption, help: "tcp, ipc, inproc; default: all.") var transport: [HopTransport] = []
    @Option(parsing: .upToNextOption, help: "Bytes of token ids in a frame.") var bodies = [64, 1024, 16_384, 262_144]
    @Option(parsing: .upToNextOption, help: "idle, hot, saturated; default: all.") var modes: [BenchMode] = []
    @Flag(inversion: .prefixedNo, help: "Links without encryption.") var plain = true
    @Flag(inversion: .prefixedNo, help: "Links with CURVE.") var curve = true
    @Option(help: "Rounds of each kind.") var rounds = 5
    @Option(help: "Factor on the exchanges of a round.") var effort = 1.0
    @Option(help: "The program grpc-bench; default: Benchmarks/.build/release/grpc-bench, where it is.")
    var grpc: String?
    @Flag(help: "Without gRPC.") var noGrpc = false
    @Option(
        parsing: .upToNextOption,
        help: "CALLERS PEERS: lists of cores, such as 0 1 or 0,1 2-3, that the two sides are held to.")
    var pin: [String] = []
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard rounds > 0, effort > 0 else { throw ValidationError("--rounds and --effort must be above 0.") }
        guard bodies.allSatisfy({ (4...(1 << 22)).contains($0) }) else {
            throw ValidationError("--bodies are from 4 bytes to 4 MiB.")
        }
        if !pin.isEmpty, pin.count != 2 { throw ValidationError("--pin CALLERS PEERS: two lists of cores.") }
        if grpc != nil, noGrpc { throw ValidationError("--grpc and --no-grpc exclude one another.") }
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
        if pin.count == 2 { settings.cores = try CoreSplit(callers: pin[0], peers: pin[1]) }
        if !noGrpc {
            settings.grpc = grpc ?? HopSettings.findGRPC()
            if settings.grpc == nil {
                note("no gRPC beside it: swift build -c release --package-path Benchmarks --product grpc-bench")
            }
        }
        let report = try await HopRun(settings, onProgress: note).perform()
        if output.json != "-" { print(report.text) }
        if let path = output.json { try ReportFile.write(json: report, to: path) }
        if let path = output.html { try ReportFile.write(html: report.page(), to: path) }
    }
}
