import AdminDoor
import Batching
import Engines
import Foundation
import Launch
import Line
import Llama
import Logging
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

/// All settings of the inference worker.
struct WorkerSettings {
    var station: StationSettings
    var tokenizers: [Endpoint]
    var accounting: Endpoint
    var engine: EngineKind
    var model: String
    var modelName: String
    var admin: DoorAddress
    var slots: Int
    var context: Int
    var contextLength: Int
    var threads: Int
    var stepTokens: Int
    var gpuLayers: Int
    var backendDirectory: String?
    var timeScale: Double
    var accelerator: Accelerator?
    var commonPrefixes: String?

    init(_ reader: inout SettingsReader) {
        station = StationSettings(&reader, program: "inference-worker")
        tokenizers = reader.endpoints(
            "tokenizer", default: ["tcp://127.0.0.1:7702"],
            help: "Tokenizers' worker links; every address of a name is dialled.")
        accounting = reader.endpoint(
            "accounting", default: "tcp://127.0.0.1:7703", help: "Accounting's ledger link.")
        engine = reader.choice("engine", default: .llama, help: "What computes: libllama, or a model of a GPU.")
        model = reader.path("model", default: ModelFile.standardPath, help: "GGUF file.")
        modelName = reader.string(
            "model-name", default: ModelFile.standardName, help: "The name by which clients ask for the model.")
        admin =
            reader.value("admin", default: "127.0.0.1:9102", help: "Where /livez, /healthz and /metrics are.") {
                try DoorAddress(parsing: $0)
            } ?? DoorAddress(host: "127.0.0.1", port: 0)
        slots = reader.int("slots", default: 16, in: 1...8192, help: "Requests to hold at once.")
        context = reader.int(
            "context", default: 16_384, in: 64...(1 << 20),
            help: "Tokens that the KV cache holds, all requests together.")
        contextLength = reader.int(
            "context-length", default: 8192, in: 64...(1 << 20), help: "Tokens that one request may have.")
        threads = reader.int(
            "threads", default: ProcessInfo.processInfo.activeProcessorCount, in: 1...1024,
            help: "CPU threads of libllama; the default is the number of cores.")
        stepTokens = reader.int(
            "step-tokens", default: 512, in: 2...65_536,
            help: "The most tokens in one step: longer prompts take several.")
        gpuLayers = reader.int("gpu-layers", default: -1, in: -1...10_000, help: "Layers on the GPU; -1 for all.")
        backendDirectory = reader.optionalPath(
            "backend-directory", help: "Where libllama's compute libraries are, if not beside it.")
        timeScale = reader.double(
            "time-scale", default: 1, in: 0...1000,
            help: "Simulated engine: what a step takes of its modelled time; 0 for none.")
        accelerator = reader.value("accelerator", default: "H100", help: "Simulated engine: which GPU.") { id in
            guard let found = Accelerator.named(id) else { throw UnknownAccelerator() }
            return found
        }
        commonPrefixes = reader.optionalPath(
            "common-prefixes",
            help: "JSON array of texts or arrays of token ids: beginnings of prompts whose cache all tenants share.")
    }

    struct UnknownAccelerator: Error, CustomStringConvertible {
        var description: String { "none of \(Accelerator.catalogue.map(\.id).joined(separator: ", "))" }
    }
}

@main
enum Main {
    static func main() async {
        let settings = SettingsLoader(
            program: "inference-worker", about: "generates tokens for many requests at once on one engine."
        ).loadOrExit { WorkerSettings(&$0) }.settings
        let logger = settings.station.log.makeLogger("worker", fields: ["name": "\(settings.station.name)"])
        do {
            exit(try await run(settings, logger))
        } catch {
            logger.critical("cannot start", metadata: ["error": "\(error)"])
            exit(1)
        }
    }

    private static func run(_ settings: WorkerSettings, _ logger: Logger) async throws -> Int32 {
        let station = try StationParts(
            name: "worker", spinMicroseconds: UInt64(settings.station.spinMicroseconds))
        let protection = settings.station.links
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
            station, targets: settings.tokenizers, credentials: protection.credentials(above: "tokenizer"))
        let shell = StationShell(
            worker, station: station, ledger: ledger, lines: [StationLine("tokenizer_link", tokenizers)],
            // A worker's heartbeats are answers, so that but for credit and ledger events, which say so, nothing waits
            // for ticks.
            tickInterval: min(100_000_000, settings.station.line.silenceLimit / 8), log: logger,
            perform: { command in
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
    private static func start(_ runner: EngineRunner, _ settings: WorkerSettings, _ logger: Logger) throws -> Int {
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
            guard let accelerator = settings.accelerator else { throw WorkerSettings.UnknownAccelerator() }
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

    private static func commonPrefixes(_ settings: WorkerSettings, _ vocabulary: Vocabulary) throws -> [[UInt32]] {
        guard let path = settings.commonPrefixes else { return [] }
        return try CommonPrefixes.read(path, vocabulary: vocabulary)
    }
}
