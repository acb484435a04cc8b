/// What a loopback cluster is made of.
public struct ClusterPlan: Sendable {
    public var ingests = 1
    public var tokenizers = 1
    public var workers = 1
    /// `simulated` or `llama`.
    public var engine = "simulated"
    /// A GGUF file; nil leaves it to the services.
    public var model: String?
    public var modelName: String?
    public var timeScale: Double?
    public var accelerator: String?
    public var slots: Int?
    public var context: Int?
    public var threads: Int?
    public var admission: Int?
    public var keys: String?
    public var prices: String?
    public var logLevel: String?
    /// The first of each service takes the documented ports, all others any that are free.
    public var usesDefaultPorts = false

    public init() {}

    /// A program and how many of it there are.
    struct Stage: Equatable {
        var program: ServiceProgram
        var count: Int
    }

    /// In the order in which they are started: each dials one that stands already.
    var stages: [Stage] {
        [
            Stage(program: .accounting, count: 1), Stage(program: .ingest, count: ingests),
            Stage(program: .tokenizer, count: tokenizers), Stage(program: .inferenceWorker, count: workers),
        ]
    }

    /// The arguments of a program's next replica, beside those that all services have.
    /// - Parameter links: A folder for the links' Unix sockets, which only its user may enter.
    func arguments(
        _ program: ServiceProgram, _ state: ClusterState, database: String, links: String
    ) -> [String] {
        let number = state.services.count { $0.program == program }
        func link(_ name: String) -> String {
            let path = "\(links)/\(number).\(name)"
            // A Unix socket's path is short.
            return path.utf8.count <= 100 ? "ipc://\(path)" : "tcp://127.0.0.1:0"
        }
        func port(_ number: Int) -> Int {
            usesDefaultPorts && !state.services.contains { $0.program == program } ? number : 0
        }
        let ledger = Self.option("--accounting", state.endpoints("ledger-link", of: .accounting).first)
        let arguments: [String]
        switch program {
        case .accounting:
            arguments =
                [
                    "--ledger-link", link("ledger"), "--http", "127.0.0.1:\(port(8081))",
                    "--database", database,
                ] + Self.option("--prices", prices)
        case .ingest:
            arguments =
                [
                    "--client-door", "tcp://127.0.0.1:\(port(7700))", "--tokenizer-link",
                    link("tokenizers"), "--http", "127.0.0.1:\(port(8080))",
                ] + ledger + Self.option("--keys", keys) + Self.option("--admission", admission)
        case .tokenizer:
            let ingests = state.endpoints("tokenizer-link", of: .ingest).joined(separator: ",")
            arguments =
                [
                    "--ingest", ingests, "--worker-link", link("workers"), "--admin",
                    "127.0.0.1:\(port(9101))",
                ] + ledger + Self.option("--model", model) + Self.option("--model-name", modelName)
        case .inferenceWorker:
            let tokenizers = state.endpoints("worker-link", of: .tokenizer).joined(separator: ",")
            arguments =
                ["--tokenizer", tokenizers, "--admin", "127.0.0.1:\(port(9102))", "--engine", engine] + ledger
                + Self.option("--model", model) + Self.option("--model-name", modelName)
                + Self.option("--slots", slots) + Self.option("--context", context)
                + Self.option("--threads", threads) + Self.option("--time-scale", timeScale)
                + Self.option("--accelerator", accelerator)
        }
        return arguments + Self.option("--log-level", logLevel)
    }

    private static func option(_ name: String, _ value: (some CustomStringConvertible)?) -> [String] {
        value.map { [name, "\($0)"] } ?? []
    }
}
