import CFloor
import Foundation

/// A link between two stations, or between a client and the door.
public enum LineLink: String, Codable, CaseIterable, Sendable {
    case clientIngest = "client-ingest"
    case ingestTokenizer = "ingest-tokenizer"
    case tokenizerWorker = "tokenizer-worker"
}

/// What a benchmark's cluster is made of.
struct ClusterShape: Sendable {
    /// Where the services' programs are.
    var programs: String
    var workers = 1
    var slots = 1024
    /// Tokens that a request may have.
    var contextLength = 8192
    /// Factor on the modelled time of a step of the simulated engine; 0 costs none.
    var timeScale = 0.0
    /// Off: the services dial an address where nobody listens, and keep their events in the spool.
    var hasAccounting = true
    /// A link that a proxy stands in.
    var proxied: LineLink?
    /// CURVE on every link and at the ZeroMQ door, with keys of its own.
    var hasKeys = false
}

/// A loopback cluster with simulated engines that ends with this process.
final class BenchCluster {
    /// One service's process.
    struct Service {
        var name: String
        var pid: Int32
        fileprivate var endpoints: [String: String]
        fileprivate var keeper: ChildProcess
    }

    private(set) var services: [Service] = []
    private var proxy: ChildProcess?
    private let shape: ClusterShape
    private let folder: ScratchFolder

    /// Where clients dial; a proxy's address if that link has one.
    private(set) var door = ""
    /// `host:port` of the HTTP door.
    private(set) var http = ""
    /// The ZeroMQ door's public CURVE key, in Z85; empty for a plain one.
    private(set) var serverKey = ""

    private struct Ports: Decodable {
        var pid: Int32
        var endpoints: [String: String]
    }

    /// Starts the services one after the other; when one does not come up, those before it are stopped.
    init(_ shape: ClusterShape) throws(BenchError) {
        self.shape = shape
        folder = try ScratchFolder()
        do throws(BenchError) {
            try start()
        } catch {
            stop()
            throw error
        }
    }

    deinit { stop() }

    /// Stops the stations together, and then the ledger that they tell what they did last.
    func stop() {
        let isLedger = { (service: Service) in service.name.hasPrefix("accounting") }
        for isLast in [false, true] {
            let group = services.filter { isLedger($0) == isLast }
            for service in group { service.keeper.end() }
            for service in group { service.keeper.stop() }
        }
        services = []
        proxy?.stop()
        proxy = nil
    }

    /// Delays every byte on the proxied link, in both directions.
    func delay(microseconds: Int) throws(BenchError) {
        guard let proxy else { throw .usage("no link has a proxy") }
        try proxy.tell(String(microseconds))
        guard try proxy.line() == String(microseconds) else { throw .process("the proxy answers something else") }
    }

    /// Processor nanoseconds of each kind of service.
    func processorTime() throws(BenchError) -> [String: UInt64] {
        var times: [String: UInt64] = [:]
        for service in services {
            let program = String(service.name.split(separator: ".")[0])
            times[program, default: 0] += try ProcessorTime.nanoseconds(of: service.pid)
        }
        return times
    }

    private var site: String { folder.path + "/site" }

    private func makeKeys() throws(BenchError) {
        let keygen = try ChildProcess(peer: ["keep", shape.programs + "/factory", "keygen", "--site", site])
        let output = keygen.output()
        guard keygen.status == 0, let key = FileManager.default.contents(atPath: site + "/public/ingest.pub") else {
            throw .cluster("factory keygen: \(output)")
        }
        serverKey = String(String(decoding: key, as: UTF8.self).prefix { !$0.isWhitespace })
    }

    private func start() throws(BenchError) {
        if shape.hasKeys { try makeKeys() }
        var ledger = "tcp://127.0.0.1:1"
        if shape.hasAccounting {
            let accounting = try launch(
                "accounting",
                [
                    "--ledger-link", "tcp://127.0.0.1:0", "--http", "127.0.0.1:0", "--database",
                    folder.path + "/ledger.sqlite",
                ])
            ledger = try endpoint("ledger-link", of: accounting)
        }
        let ingest = try launch(
            "ingest",
            [
                "--client-door", "tcp://127.0.0.1:0", "--tokenizer-link", "tcp://127.0.0.1:0", "--http",
                "127.0.0.1:0", "--accounting", ledger,
            ])
        let tokenizer = try launch(
            "tokenizer",
            [
                "--ingest", try through(.ingestTokenizer, try endpoint("tokenizer-link", of: ingest)),
                "--worker-link", "tcp://127.0.0.1:0", "--admin", "127.0.0.1:0", "--accounting", ledger,
            ])
        let workerLink = try through(.tokenizerWorker, try endpoint("worker-link", of: tokenizer))
        let workers = try (0..<shape.workers).map { number throws(BenchError) in
            try spawn(
                "inference-worker",
                [
                    "--tokenizer", workerLink, "--admin", "127.0.0.1:0", "--engine", "simulated", "--slots",
                    String(shape.slots), "--time-scale", String(shape.timeScale), "--context-length",
                    String(shape.contextLength), "--context", String(2 * shape.contextLength), "--accounting", ledger,
                ], number: number)
        }
        for worker in workers { _ = try awaitService(worker) }
        door = try through(.clientIngest, try endpoint("client-door", of: ingest))
        http = try endpoint("http", of: ingest)
    }

    /// The address itself, or that of a proxy in front of it.
    private func through(_ link: LineLink, _ address: String) throws(BenchError) -> String {
        guard shape.proxied == link else { return address }
        let parts = address.split(separator: ":")
        guard let port = parts.last else { throw .cluster("an address without a port: \(address)") }
        let proxy = try ChildProcess(peer: ["proxy", "127.0.0.1", String(port)])
        self.proxy = proxy
        return "tcp://127.0.0.1:\(try proxy.line())"
    }

    private func endpoint(_ name: String, of service: Service) throws(BenchError) -> String {
        guard let endpoint = service.endpoints[name] else { throw .cluster("\(service.name) has no \(name)") }
        return endpoint
    }

    /// A process that may not serve yet.
    private struct Pending {
        var name: String
        var ports: String
        var log: String
        var keeper: ChildProcess
    }

    private func launch(_ program: String, _ arguments: [String]) throws(BenchError) -> Service {
        try awaitService(spawn(program, arguments))
    }

    private func spawn(_ program: String, _ arguments: [String], number: Int = 0) throws(BenchError) -> Pending {
        let name = "\(program).\(number)"
        let path = shape.programs + "/" + program
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw .cluster("no program \(path): build it, or say where it is with --programs")
        }
        let ports = "\(folder.path)/\(name).ports"
        let logPath = "\(folder.path)/\(name).log"
        guard FileManager.default.createFile(atPath: logPath, contents: nil),
            let log = FileHandle(forWritingAtPath: logPath)
        else { throw .process("cannot make \(logPath)") }
        let keys = shape.hasKeys ? ["--link-key", "\(site)/\(program)/link.key", "--link-keys", site + "/public"] : []
        let keeper = try ChildProcess(
            peer: [
                "keep", path, "--name", name, "--ports-file", ports, "--spool-directory", folder.path + "/spool",
            ] + keys + arguments, log: log)
        return Pending(name: name, ports: ports, log: logPath, keeper: keeper)
    }

    /// Returns when the process says where it serves.
    private func awaitService(_ pending: Pending) throws(BenchError) -> Service {
        let end = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < end, pending.keeper.isRunning {
            if let data = FileManager.default.contents(atPath: pending.ports),
                let content = try? JSONDecoder().decode(Ports.self, from: data)
            {
                let service = Service(
                    name: pending.name, pid: content.pid, endpoints: content.endpoints, keeper: pending.keeper)
                services.append(service)
                return service
            }
            usleep(5000)
        }
        let tail = FileManager.default.contents(atPath: pending.log).map {
            String(decoding: $0.suffix(2000), as: UTF8.self)
        }
        throw .cluster("\(pending.name) does not serve: \(tail ?? "")")
    }
}
