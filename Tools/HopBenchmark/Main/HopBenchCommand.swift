import ArgumentParser
import Foundation
import HopBenchmark
import Release

@main
struct HopBenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hopbench",
        abstract: "Says what each hop costs, beside what bare libzmq and the machine itself can do.",
        version: ProductVersion.text,
        subcommands: [
            HopCommand.self, LineCommand.self, ScaleCommand.self, GuardCommand.self, PeerProcess.self,
        ])
}

/// The processes of a benchmark; nobody types this.
struct PeerProcess: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "peer", shouldDisplay: false)

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []

    func run() async throws {
        let status = try await PeerCommand.perform(arguments)
        if status != 0 { throw ExitCode(status) }
    }
}

/// Where results go beside standard output.
struct OutputOptions: ParsableArguments {
    @Option(help: "Write the figures as JSON; - is standard output.") var json: String?
    @Option(help: "Write a page with plots; it needs no network.") var html: String?
}

/// Progress, for people who wait.
func note(_ text: String) { FileHandle.standardError.write(Data("… \(text)\n".utf8)) }
