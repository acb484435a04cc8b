import ArgumentParser
import FactoryKit
import Foundation
import Release

@main
struct FactoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "factory", abstract: "Runs a token factory on this machine, and reads its books.",
        version: ProductVersion.text,
        subcommands: [
            Up.self, Down.self, Status.self, EndpointCommand.self, Health.self, ReportCommand.self,
            RequestsCommand.self, Audit.self, Keygen.self, ExportTokenizer.self,
        ])
}

/// The folder of a cluster, for all commands that have to do with one.
struct FolderOptions: ParsableArguments {
    @Option(help: "The cluster's folder: state, ledger, spools, logs.")
    var directory = ".run"

    var folder: ClusterFolder { ClusterFolder(path: directory) }

    func state() throws -> ClusterState {
        guard let state = try folder.state() else { throw FactoryError.notUp(path: folder.path) }
        return state
    }
}

/// The ledger's database.
struct LedgerOptions: ParsableArguments {
    @OptionGroup var cluster: FolderOptions
    @Option(help: "The ledger's database; default: the cluster's.")
    var database: String?

    var path: String { database ?? cluster.folder.database }
}

func say(_ text: String, to output: FileHandle = .standardOutput) {
    output.write(Data((text + "\n").utf8))
}
