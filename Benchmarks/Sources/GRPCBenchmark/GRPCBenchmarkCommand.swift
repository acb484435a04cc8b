import ArgumentParser

@main
struct GRPCBenchmarkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "grpc-bench", abstract: "One hop of the line against grpc-swift-2.",
        subcommands: [CompareCommand.self, PeerCommand.self, ServeCommand.self], defaultSubcommand: CompareCommand.self)
}
