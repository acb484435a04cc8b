import AdminDoor
import ArgumentParser
import Batching
import Engines
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
import Transport
import Wire
import WorkerService

/// Which engine computes.
enum EngineKind: String, CaseIterable {
    case llama
    case simulated
}

/// The inference worker: its settings, and how its parts are put together.
@main
struct WorkerProgram: StationProgram {
    static let configuration = CommandConfiguration(
        commandName: "inference-worker", abstract: "Generates tokens for many requests at once on one engine.",
        version: ProductVersion.text)

    @Option("tokenizer", port: 7702, help: "Tokenizers' worker links; every address of a name is dialled.")
    var tokenizers: [[Endpoint]]
    @Option("accounting", port: 7703, help: "Accounting's ledger link.")
    var accounting: Endpoint
    @Option("engine", default: .llama, help: "What computes: libllama, or a model of a GPU.")
    var engine: EngineKind
    @Option("model", default: ModelFile.standardPath, as: "path", help: "GGUF file.")
    var model: String
    @Option("model-name", default: ModelFile.standardName, help: "The name by which clients ask for the model.")
    var modelName: String
    @Option("admin", port: 9102, help: "Where /livez, /healthz and /metrics are.")
    var admin: DoorAddress
    @Option("slots", default: 16, in: 1...8192, help: "Requests to hold at once.")
    var slots: Int
    @Option(
        "context", default: 16_384, in: 64...(1 << 20),
        help: "Tokens that the KV cache holds, all requests together.")
    var context: Int
    @Option("context-length", default: 8192, in: 64...(1 << 20), help: "Tokens that one request may have.")
    var contextLength: Int
    @Option(
        "threads", default: ProcessInfo.processInfo.activeProcessorCount, in: 1...1024,
        help: "CPU threads of libllama; the default is the number of cores.")
    var threads: Int
    @Option(
        "step-tokens", default: 512, in: 2...65_536,
        help: "The most tokens in one step: longer prompts take several.")
    var stepTokens: Int
    @Option("gpu-layers", default: -1, in: -1...10_000, help: "Layers on the GPU; -1 for all.")
    var gpuLayers: Int
    @Option(
        "backend-directory", as: "path", help: "Where libllama's compute libraries are, if not beside it.")
    var backendDirectory: String?
    @Option(
        "time-scale", default: 1, in: 0...1000,
        help: "Simulated engine: what a step takes of its modelled time; 0 for none.")
    var timeScale: Double
    @Option(
        setting: "accelerator", default: Accelerator.named("H100"), shown: "H100", as: "id",
        help: "Simulated engine: which GPU.", parse: { try WorkerProgram.accelerator($0) })
    var accelerator: Accelerator?
    @Option(
        "common-prefixes", as: "path",
        help: "JSON array of texts or arrays of token ids: beginnings of prompts whose cache all tenants share.")
    var commonPrefixes: String?
    @OptionGroup(title: "Station") var station: StationSettings

    static func main() async { await start() }

    struct UnknownAccelerator: Error, CustomStringConvertible {
        var description: String { "none of \(Accelerator.catalogue.map(\.id).joined(separator: ", "))" }
    }

    fileprivate static func accelerator(_ id: String) throws -> Accelerator {
        guard let found = Accelerator.named(id) else { throw UnknownAccelerator() }
        return found
    }
}

extension WorkerProgram {
    static func serve(_ settings: WorkerProgram, _ logger: Logger) async throws -> Int32 {
        let station = try StationParts(
            name: "worker", spinMicroseconds: UInt64(settings.station.spinMicroseconds))
        let protection = try settings.station.links.protection()
        let watch = Task { await protection.watch(logger: logger) }
        defer { watch.cancel() }
        try protection.check("admin", host: settings.admin.host)
        let spools = settings.station.spools(of: .inferenceWorker)
        let ledger = LedgerProducer(
            spool: try Spool(
                directory: spools, instance: settings.station.name, epoch: station.epoch,
                settings: settings.station.spool),
            station: station, accounting: settings.accounting, role: .inferenceWorker, name: settings.station.name,
            settings: settings.station.line, credentials: protection.credentials(above: "accounting"))
        let reports = ReportTarget(station.reactor, logger: logger)
        let runner = EngineRunner(clock: { MonotonicClock.now() }) { reports.deliver($0) }
        reports.set(runner)
        let contextLength = try start(runner, settings, logger)
        let worker = Worker(
            WorkerConfiguration(
                name: settings.station.name, modelName: settings.modelName, slots: settings.slots,
                contextLength: contextLength, line: settings.station.line), epoch: station.epoch)
        let tokenizers = DialSockets(
            station, targets: settings.tokenizers.flatMap { $0 },
            credentials: protection.credentials(above: "tokenizer"))
        let shell = StationShell(
            worker, station: station, ledger: ledger, lines: [StationLine("tokenizer_link", tokenizers)],
            // A worker's heartbeats are answers, so that but for credit and ledger events, which say so, nothing waits
            // for ticks.
            tickInterval: min(100_000_000, settings.station.line.silenceLimit / 8), log: logger,
            perform: { command, _ in
                switch command {
                case .admit(let request): runner.admit(request)
                case .cancel(let id): runner.cancel(id)
                case .handBackAll: runner.handBackAll()
                }
            },
            takeIn: { worker in
                reports.take { rows, _, endedAt in
                    worker.stepped(rows, endedAt: endedAt, now: MonotonicClock.now())
                }
            })
        let ports = PortsFile(path: settings.station.portsFile, names: ["admin"])
        let metrics = MetricsRegistry()
        await shell.publish(to: metrics, prefix: "tokenfactory_worker")
        let drainSeconds = settings.station.drainSeconds
        let pendingEvents = settings.station.pendingEvents
        let replay = SpoolReplay.Configuration(
            directory: spools, accounting: settings.accounting, role: .inferenceWorker, name: settings.station.name,
            line: settings.station.line, credentials: protection.credentials(above: "accounting"))
        let status = await runStation(
            [
                SpoolReplayService(replay, log: logger),
                AdminDoor(
                    address: settings.admin,
                    connections: DescriptorBudget.raised().connections(percent: 90, atMost: 1024), metrics: metrics,
                    logger: logger,
                    health: {
                        if let failure = await shell.ledgerFailure(pendingLimit: pendingEvents) {
                            return .failing(failure)
                        }
                        return await shell.isReady ? .ok : .failing("no tokenizer has a session")
                    },
                    onBound: { address in
                        Task {
                            do { try await ports.note("admin", "\(address)") } catch {
                                logger.error("cannot write the ports file", metadata: ["error": "\(error)"])
                            }
                        }
                    }),
                StationRun(start: { await shell.start() }, drain: { await shell.drain(boundSeconds: drainSeconds) }),
            ], logger: logger)
        runner.stop()
        if !runner.waitUntilStopped(seconds: 5) {
            logger.error("the engine hangs in a step; the process ends without it")
        }
        return status
    }

    /// Starts the engine's thread; the tokens that one request may have.
    private static func start(_ runner: EngineRunner, _ settings: WorkerProgram, _ logger: Logger) throws -> Int {
        let contextLength = min(settings.contextLength, settings.context)
        switch settings.engine {
        case .llama:
            let model = try LlamaModel(
                path: settings.model, gpuLayers: Int32(settings.gpuLayers), backendDirectory: settings.backendDirectory)
            let engine = try LlamaEngine(
                model: model,
                options: LlamaEngine.Options(
                    contextCells: settings.context, maximumSequences: min(2 * settings.slots, 256),
                    maximumStepTokens: settings.stepTokens, threads: settings.threads,
                    batchThreads: settings.threads))
            let length = min(contextLength, model.trainedContextLength)
            logger.info("engine", metadata: ["engine": "\(engine.name)", "context": "\(length)"])
            var limits = SchedulerSettings(
                for: engine, tokenBudget: settings.stepTokens, maximumRunning: settings.slots, contextLength: length)
            limits.commonPrefixes = try commonPrefixes(settings, model.vocabulary)
            runner.start(engine, settings: limits)
            return length
        case .simulated:
            let vocabulary = try LlamaModel(path: settings.model, vocabularyOnly: true).vocabulary
            guard let accelerator = settings.accelerator else { throw WorkerProgram.UnknownAccelerator() }
            let engine = try SimulatedEngine(
                SimulatedEngine.Options(
                    model: StepModel(accelerator: accelerator, shape: .llama8B), timeScale: settings.timeScale,
                    tokenTable: vocabulary.plainTokens(), vocabularySize: vocabulary.count,
                    endOfGeneration: vocabulary.endOfGenerationTokens, maximumSequences: settings.slots,
                    maximumStepTokens: max(settings.stepTokens, 2 * settings.slots)))
            logger.info("engine", metadata: ["engine": "\(engine.name)", "context": "\(contextLength)"])
            var limits = SchedulerSettings(
                for: engine, tokenBudget: max(settings.stepTokens, 2 * settings.slots),
                maximumRunning: settings.slots, contextLength: contextLength)
            limits.commonPrefixes = try commonPrefixes(settings, vocabulary)
            runner.start(engine, settings: limits)
            return contextLength
        }
    }

    private static func commonPrefixes(_ settings: WorkerProgram, _ vocabulary: Vocabulary) throws -> [[UInt32]] {
        guard let path = settings.commonPrefixes else { return [] }
        return try CommonPrefixes.read(path, vocabulary: vocabulary)
    }
}
