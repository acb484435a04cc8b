/// The programs of a cluster.
public enum ServiceProgram: String, Codable, Sendable, CaseIterable {
    case accounting
    case ingest
    case tokenizer
    case inferenceWorker = "inference-worker"
}

/// What runs, as the state file says.
public struct ClusterState: Codable, Equatable, Sendable {
    /// One process.
    public struct Service: Codable, Equatable, Sendable {
        public var name: String
        public var program: ServiceProgram
        public var pid: Int32
        /// What it bound, by setting; empty until it serves.
        public var endpoints: [String: String]
        public var log: String
        public var portsFile: String

        /// Where it answers `/healthz`, `host:port`.
        public var adminDoor: String? { endpoints["admin"] ?? endpoints["http"] }
    }

    public var services: [Service] = []

    public init() {}

    /// The endpoints of this name of all services of a program.
    public func endpoints(_ name: String, of program: ServiceProgram) -> [String] {
        services.filter { $0.program == program }.compactMap { $0.endpoints[name] }
    }

    /// Every endpoint under the name that the `endpoint` command takes: the setting's, with the program's before it
    /// where several programs have such a setting. The first of each kind.
    public var namedEndpoints: [(name: String, endpoint: String)] {
        let names: [(String, ServiceProgram, String)] = [
            ("client-door", .ingest, "client-door"), ("http", .ingest, "http"),
            ("tokenizer-link", .ingest, "tokenizer-link"), ("worker-link", .tokenizer, "worker-link"),
            ("ledger-link", .accounting, "ledger-link"), ("accounting-http", .accounting, "http"),
            ("tokenizer-admin", .tokenizer, "admin"), ("worker-admin", .inferenceWorker, "admin"),
        ]
        return names.compactMap { name, program, key in
            endpoints(key, of: program).first.map { (name, $0) }
        }
    }
}

/// What a service writes to its ports file once it serves.
struct PortsFile: Decodable, Equatable {
    var pid: Int32
    var endpoints: [String: String]
}
