import AdminDoor
import ArgumentParser
import IngestService
import Keys
import Launch
import Line
import Logging
import OpenAIDoor
import Release
import Settings
import Spool
import Station
import Synchronization
import Telemetry
import Transport
import Wire

/// The ingest: its settings, and how its parts are put together.
@main
struct IngestProgram: StationProgram {
    static let configuration = CommandConfiguration(
        commandName: "ingest", abstract: "Takes requests at both doors and streams the answers back.",
        version: ProductVersion.text)

    @Option("client-door", port: 7700, help: "Where clients of the ZeroMQ door dial.")
    var clientDoor: Endpoint
    @Option("tokenizer-link", port: 7701, help: "Where tokenizers dial.")
    var tokenizerLink: Endpoint
    @Option("http", port: 8080, help: "Where the HTTP door listens.")
    var http: DoorAddress
    @Option("accounting", port: 7703, help: "Accounting's ledger link.")
    var accounting: Endpoint
    @Option(
        "keys", as: "path",
        help: "File of API keys: lines of a key's SHA-256, its tenant and what it may do; read again when it changes. "
            + "Without it, loopback only.")
    var keyFile: String?
    @OptionGroup var certificateFiles: DoorCertificate.Options
    @Option(
        "admission", default: 4096, in: 1...1_000_000,
        help: "Requests that may wait for a tokenizer; beyond it clients are told to retry later.")
    var admission: Int
    @Option(
        "waiting", default: .seconds(60), in: .milliseconds(100)...Duration.seconds(86_400),
        help: "How long a request may wait for a tokenizer before it fails as unavailable.")
    var waiting: UInt64
    @Option(
        "held-bytes", bytes: 1 << 30, in: (1 << 20)...(1 << 40),
        help: "Bytes of prompts to hold at once; beyond them clients are told to retry later.")
    var heldBytes: Int
    @Option("body-limit", bytes: 8 << 20, in: 1024...(16 << 20), help: "Largest HTTP request body.")
    var bodyLimit: Int
    @Option(
        "cors-origins", default: [], help: "Origins whose pages may use the HTTP door, separated by commas; * for all.",
        parse: { $0 })
    var corsOrigins: [[String]]
    @Flag("strict-fields", help: "Refuses requests with unknown fields, which are ignored and named otherwise.")
    var strictFields: Bool
    @Option(
        "client-frame", bytes: 1 << 20, in: (64 << 10)...(16 << 20),
        help: "Longest frame of the ZeroMQ door with link keys. Together with it grows what clients without an API "
            + "key may cost; the HTTP door and the door within the host take long prompts without.")
    var clientFrame: Int
    @Option(
        "client-connections", default: 4096, in: 1...1_000_000,
        help: "Connections that the ZeroMQ door takes at once.")
    var clientConnections: Int
    @Flag(
        "listed-clients",
        help: "The ZeroMQ door with link keys admits the CURVE keys alone that --keys lists (client-key=).")
    var listedClients: Bool
    @OptionGroup(title: "Station") var station: StationSettings

    static func main() async { await start() }
}

extension IngestProgram {
    /// The ZeroMQ door's socket.
    private func doorSocket(_ protection: LinkProtection) -> SocketOptions {
        var options = SocketOptions()
        options.limits.connections = clientConnections
        // libzmq cuts off no client by bytes: fewer frames may wait than on the line, and with link keys they are short.
        if protection.keys != nil, case .tcp = clientDoor {
            options.maximumMessageBytes = Int64(clientFrame)
            options.receiveHighWater = 64
            options.sendHighWater = 4096
        }
        return options
    }
}

/// The CURVE keys of the clients whose API keys name one.
private struct ListedClients: ClientListing {
    let keys: KeyRing

    func lists(_ key: String) -> Bool { keys.curveKeys.contains(key) }

    var generation: UInt64 { keys.generation }
}

extension IngestProgram {
    static func serve(_ settings: IngestProgram, _ logger: Logger) async throws -> Int32 {
        let protection = try settings.station.links.protection()
        let keys = try settings.keyFile.map { path in
            try SettingsError.naming("keys") { try KeyRing(contentsOf: path) }
        }
        let certificate = try settings.certificateFiles.load()
        if settings.listedClients, keys == nil || protection.keys == nil {
            throw SettingsError("listed-clients", "it needs --keys, --link-key and --link-keys")
        }
        try protection.check("client-door", settings.clientDoor)
        try protection.check("tokenizer-link", settings.tokenizerLink)
        var door = DoorConfiguration(address: settings.http, keys: keys)
        door.certificate = certificate
        door.bodyLimit = settings.bodyLimit
        door.corsOrigins = settings.corsOrigins.flatMap(\.self)
        door.strictFields = settings.strictFields
        let descriptors = DescriptorBudget.raised()
        door.maximumConnections = descriptors.connections(percent: 60, atMost: door.maximumConnections)
        // Ids need to be unique, not secret: no system call for each.
        let generator = Mutex(EpochGenerator())
        door.makeID = { generator.withLock { .new(milliseconds: WallClock.now() / 1_000_000, using: &$0) } }
        try door.checkExposure()
        if case .tcp(let host, let port) = settings.clientDoor {
            // Both doors are held to the same rule.
            try DoorConfiguration(address: DoorAddress(host: host, port: Int(port)), keys: keys)
                .checkExposure()
        }
        let station = try StationParts(name: "ingest", spinMicroseconds: UInt64(settings.station.spinMicroseconds))
        let linkWatch = Task { await protection.watch(logger: logger) }
        defer { linkWatch.cancel() }
        let doorGuard = protection.guardian(
            of: "client-door", roles: [], anybody: "client",
            listing: settings.listedClients ? keys.map(ListedClients.init) : nil)
        let lineGuard = protection.guardian(of: "tokenizer-link", roles: ["tokenizer"])
        let authenticator =
            protection.keys == nil
            ? nil : try ZAPAuthenticator(station.context, guards: [doorGuard, lineGuard].compactMap { $0 })
        defer { withExtendedLifetime(authenticator) {} }
        let spools = settings.station.spools(of: .ingest)
        let ledger = LedgerProducer(
            spool: try Spool(
                directory: spools, instance: settings.station.name, epoch: station.epoch,
                settings: settings.station.spool),
            station: station, accounting: settings.accounting, role: .ingest, name: settings.station.name,
            settings: settings.station.line, credentials: protection.credentials(above: "accounting"))
        let openTenant = door.openTenant
        var configuration = IngestConfiguration(
            name: settings.station.name, clientDoor: settings.clientDoor, tokenizerLink: settings.tokenizerLink,
            admission: settings.admission, heldBytes: settings.heldBytes, waitingNanoseconds: settings.waiting,
            line: settings.station.line, doorGuard: doorGuard, lineGuard: lineGuard)
        configuration.doorSocket = settings.doorSocket(protection)
        configuration.doorSocket.limits.connections = descriptors.connections(
            percent: 30, atMost: settings.clientConnections)
        configuration.tokenizerConnections = descriptors.connections(
            percent: 10, atMost: configuration.tokenizerConnections)
        let loop = try IngestLoop(
            configuration, station: station, ledger: ledger,
            access: ClientAccess(keys: keys, openTenant: openTenant), log: logger)
        let ports = PortsFile(
            path: settings.station.portsFile, names: ["client-door", "tokenizer-link", "http"])
        let metrics = MetricsRegistry()
        await loop.publish(to: metrics)
        let drainSeconds = settings.station.drainSeconds
        // Keys that are withdrawn stop at once, not with the next start.
        let watch = keys.map { keys in Task { await keys.watch(log: logger) } }
        defer { watch?.cancel() }
        let replay = SpoolReplay.Configuration(
            directory: spools, accounting: settings.accounting, role: .ingest,
            name: settings.station.name, line: settings.station.line,
            credentials: protection.credentials(above: "accounting"))
        let certificateWatch = certificate.map { certificate in
            Task { await certificate.watch(log: logger, metrics: metrics) }
        }
        defer { certificateWatch?.cancel() }
        return await runStation(
            [
                SpoolReplayService(replay, log: logger),
                OpenAIDoor(
                    door, backend: LineBackend(loop, pendingEvents: settings.station.pendingEvents), metrics: metrics,
                    logger: logger
                ) { address in
                    Task {
                        do { try await ports.note("http", "\(address)") } catch {
                            logger.error("cannot write the ports file", metadata: ["error": "\(error)"])
                        }
                    }
                },
                // Stopped first: it ends what is held, or gives it up at its bound, and the door then has nothing open.
                StationRun(
                    start: {
                        await loop.start()
                        try await ports.note("client-door", "\(loop.clientDoor)")
                        try await ports.note("tokenizer-link", "\(loop.tokenizerLink)")
                    }, drain: { await loop.drain(boundSeconds: drainSeconds) }),
            ], logger: logger)
    }
}
