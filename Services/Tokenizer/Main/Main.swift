import AdminDoor
import ArgumentParser
import Foundation
import Launch
import Line
import Llama
import Logging
import Release
import Settings
import Spool
import Station
import Telemetry
import TokenizerService
import Tokenization
import Transport
import Wire

/// The tokenizer: its settings, and how its parts are put together.
@main
struct TokenizerProgram: StationProgram {
    static let configuration = CommandConfiguration(
        commandName: "tokenizer", abstract: "Encodes prompts, chooses a worker, and makes text of its tokens.",
        version: ProductVersion.text)

    @Option("ingest", port: 7701, help: "Ingests' tokenizer links; every address of a name is dialled.")
    var ingests: [[Endpoint]]
    @Option("worker-link", port: 7702, help: "Where inference workers dial.")
    var workerLink: Endpoint
    @Option("accounting", port: 7703, help: "Accounting's ledger link.")
    var accounting: Endpoint
    @Option(
        "model", default: ModelFile.standardPath, as: "path",
        help: "GGUF file whose vocabulary and chat template are used.")
    var model: String
    @Option("model-name", default: ModelFile.standardName, help: "The name by which clients ask for the model.")
    var modelName: String
    @Option("admin", port: 9101, help: "Where /livez, /healthz and /metrics are.")
    var admin: DoorAddress
    @Option(
        "lookahead", default: 16, in: 1...65_536,
        help: "Requests to hold beyond what the workers can take, to encode while they generate.")
    var lookahead: Int
    @Option(
        "encode-threads", default: ProcessInfo.processInfo.activeProcessorCount, in: 1...1024,
        help: "Threads that encode prompts; the default is the number of cores.")
    var threads: Int
    @OptionGroup(title: "Station") var station: StationSettings

    static func main() async { await start() }
}

extension TokenizerProgram {
    static func serve(_ settings: TokenizerProgram, _ logger: Logger) async throws -> Int32 {
        let model = try LlamaModel(path: settings.model, vocabularyOnly: true)
        let station = try StationParts(
            name: "tokenizer", spinMicroseconds: UInt64(settings.station.spinMicroseconds))
        let protection = try settings.station.links.protection()
        let watch = Task { await protection.watch(logger: logger) }
        defer { watch.cancel() }
        try protection.check("worker-link", settings.workerLink)
        try protection.check("admin", host: settings.admin.host)
        let workerGuard = protection.guardian(of: "worker-link", roles: ["inference-worker"])
        let authenticator = try workerGuard.map { try ZAPAuthenticator(station.context, guards: [$0]) }
        defer { withExtendedLifetime(authenticator) {} }
        let spools = settings.station.spools(of: .tokenizer)
        let ledger = LedgerProducer(
            spool: try Spool(
                directory: spools, instance: settings.station.name, epoch: station.epoch,
                settings: settings.station.spool),
            station: station, accounting: settings.accounting, role: .tokenizer, name: settings.station.name,
            settings: settings.station.line, credentials: protection.credentials(above: "accounting"))
        var links = TokenizerStation.Links(
            ingests: settings.ingests.flatMap(\.self), credentials: protection.credentials(above: "ingest"),
            workerLink: settings.workerLink, workerGuard: workerGuard)
        let descriptors = DescriptorBudget.raised()
        links.workerConnections = descriptors.connections(percent: 90, atMost: links.workerConnections)
        let tokenizer = try TokenizerStation(
            TokenizerSettings(
                name: settings.station.name, modelName: settings.modelName, lookahead: settings.lookahead,
                line: settings.station.line), links, station: station, encoder: try PromptEncoder(model: model),
            table: try TokenTable(model.vocabulary), threads: settings.threads, ledger: ledger, log: logger,
            wallSeconds: { Int64(WallClock.now() / 1_000_000_000) })
        let ports = PortsFile(path: settings.station.portsFile, names: ["worker-link", "admin"])
        let metrics = MetricsRegistry()
        await tokenizer.publish(to: metrics)
        let drainSeconds = settings.station.drainSeconds
        let pendingEvents = settings.station.pendingEvents
        let replay = SpoolReplay.Configuration(
            directory: spools, accounting: settings.accounting, role: .tokenizer,
            name: settings.station.name, line: settings.station.line,
            credentials: protection.credentials(above: "accounting"))
        return await runStation(
            [
                SpoolReplayService(replay, log: logger),
                AdminDoor(
                    address: settings.admin, connections: descriptors.connections(percent: 10, atMost: 1024),
                    metrics: metrics, logger: logger,
                    health: {
                        if let failure = await tokenizer.ledgerFailure(pendingLimit: pendingEvents) {
                            return .failing(failure)
                        }
                        return await tokenizer.isReady ? .ok : .failing("no ingest, or no worker, has a session")
                    },
                    onBound: { address in
                        Task {
                            do { try await ports.note("admin", "\(address)") } catch {
                                logger.error("cannot write the ports file", metadata: ["error": "\(error)"])
                            }
                        }
                    }),
                StationRun(
                    start: {
                        await tokenizer.start()
                        try await ports.note("worker-link", "\(tokenizer.workerLink)")
                    }, drain: { await tokenizer.drain(boundSeconds: drainSeconds) }),
            ], logger: logger)
    }
}
