import ArgumentParser
import FactoryKit
import Foundation

struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Starts a cluster on loopback and waits until it is healthy.",
        discussion: "The processes go on in the background; `factory down` stops them.")

    @OptionGroup var cluster: FolderOptions
    @Option(help: "Ingests.") var ingest = 1
    @Option(help: "Tokenizers.") var tokenizers = 1
    @Option(help: "Inference workers.") var workers = 1
    @Option(help: "Accountings: always 1.") var accounting = 1
    @Option(help: "simulated or llama.") var engine = "simulated"
    @Option(help: "GGUF file; default: the one that set-up makes.") var model: String?
    @Option(help: "The name that clients ask for.") var modelName: String?
    @Option(help: "Simulated engine: factor on the time of a step; 0 costs none.") var timeScale: Double?
    @Option(help: "Simulated engine: accelerator of the catalogue.") var accelerator: String?
    @Option(help: "Requests that a worker holds at once.") var slots: Int?
    @Option(help: "Tokens of a worker's context.") var context: Int?
    @Option(help: "Threads of a worker.") var threads: Int?
    @Option(help: "Requests that an ingest lets in at once.") var admission: Int?
    @Option(help: "File of API keys.") var keys: String?
    @Option(help: "Price list.") var prices: String?
    @Option(help: "Log level of all services.") var logLevel: String?
    @Flag(help: "The documented ports (7700…, 8080, 8081, 9101, 9102) for the first of each service.")
    var defaultPorts = false
    @Option(help: "Folder of the services' programs; default: this program's.") var bin: String?
    @Option(help: "Seconds for each service to serve, and for the line to be healthy.") var deadline = 60.0

    func validate() throws {
        for (name, value) in [("--ingest", ingest), ("--tokenizers", tokenizers), ("--workers", workers)]
        where value < 1 {
            throw ValidationError("\(name) must be at least 1.")
        }
        if accounting != 1 { throw ValidationError("A cluster has one accounting.") }
        if !["simulated", "llama"].contains(engine) { throw ValidationError("--engine is simulated or llama.") }
    }

    func run() async throws {
        var plan = ClusterPlan()
        plan.ingests = ingest
        plan.tokenizers = tokenizers
        plan.workers = workers
        plan.engine = engine
        plan.model = model.map { URL(fileURLWithPath: $0).path }
        plan.modelName = modelName
        plan.timeScale = timeScale
        plan.accelerator = accelerator
        plan.slots = slots
        plan.context = context
        plan.threads = threads
        plan.admission = admission
        plan.keys = keys.map { URL(fileURLWithPath: $0).path }
        plan.prices = prices.map { URL(fileURLWithPath: $0).path }
        plan.logLevel = logLevel
        plan.usesDefaultPorts = defaultPorts
        let launcher = ClusterLauncher(
            plan: plan, folder: cluster.folder, programs: bin ?? SiblingProgram.folder, deadline: deadline
        ) { say($0) }
        let state = try await launcher.perform()
        say("up: \(state.services.count) processes, logs in \(cluster.folder.path)")
    }
}

struct Down: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stops a cluster: each station drains, doors first, the ledger last.",
        discussion: "Exit status 1 if a process had to be killed, or was gone already.")

    @OptionGroup var cluster: FolderOptions
    @Option(help: "Seconds in which each kind of station must have drained.") var bound = 40.0

    func run() async throws {
        let stopper = ClusterStopper(folder: cluster.folder, bound: bound) { name, end in
            switch end {
            case .drained: say("\(name): drained")
            case .killed: say("\(name): killed after the bound")
            case .gone: say("\(name): was gone already")
            }
        }
        guard try await stopper.perform() else { throw ExitCode(1) }
    }
}

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows every process of a cluster, and how it is.",
        discussion: "Exit status 1 if one is gone or not well.")

    @OptionGroup var cluster: FolderOptions

    func run() async throws {
        let status = await ClusterStatus(try cluster.state())
        say("\(status.table)")
        guard status.isWell else { throw ExitCode(1) }
    }
}

struct EndpointCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "endpoint", abstract: "Prints where a cluster's first service of a kind is bound.")

    @OptionGroup var cluster: FolderOptions
    @Argument(help: "client-door, http, tokenizer-link, worker-link, ledger-link, accounting-http, …; default: all.")
    var name: String?

    func run() throws {
        let endpoints = try cluster.state().namedEndpoints
        guard let name else {
            for (name, endpoint) in endpoints { say("\(name) \(endpoint)") }
            return
        }
        guard let endpoint = endpoints.first(where: { $0.name == name })?.endpoint else {
            throw FactoryError.noEndpoint(name: name, known: endpoints.map { $0.name })
        }
        say(endpoint)
    }
}

struct Health: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Gets a health URL; exit status 1 unless the answer is 200.",
        discussion: "For containers' health checks, whose images have no other HTTP client.")

    @Argument(help: "For instance http://127.0.0.1:8080/livez.") var url: String
    @Option(help: "Seconds to wait.") var timeout: Int64 = 2

    func run() async throws {
        let answer = await HealthProbe.ask(url, seconds: timeout)
        say("\(answer)")
        guard answer == .ok else { throw ExitCode(1) }
    }
}
