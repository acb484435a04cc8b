import AccountingService
import AdminDoor
import Economics
import Foundation
import Keys
import Launch
import LedgerStore
import Line
import Logging
import ServiceLifecycle
import Settings
import Spool
import Station
import Telemetry
import Transport
import Wire

/// All settings of accounting.
struct AccountingSettings {
    var station: StationSettings
    var ledgerLink: Endpoint
    var http: DoorAddress
    var database: String
    var prices = PriceList.illustrative
    var reservationTime: UInt64
    var claimTime: UInt64
    var auditGrace: UInt64
    var keys: KeyRing?
    var certificate: DoorCertificate?

    init(_ reader: inout SettingsReader) {
        station = StationSettings(&reader, program: "accounting")
        ledgerLink = reader.endpoint(
            "ledger-link", default: "tcp://127.0.0.1:7703", help: "Where producers of ledger events dial.")
        http =
            reader.value("http", default: "127.0.0.1:8081", help: "Where reports, /healthz and /metrics are.") {
                try DoorAddress(parsing: $0)
            } ?? DoorAddress(host: "127.0.0.1", port: 0)
        database = reader.path("database", default: ".run/ledger.sqlite", help: "The ledger's SQLite file.")
        reservationTime = reader.nanoseconds(
            "reservation-ttl", default: .seconds(3600), in: .seconds(1)...Duration.seconds(31_536_000),
            help: "When an ingest has been away for so long, its open requests expire, unbilled.")
        claimTime = reader.nanoseconds(
            "claim-ttl", default: .seconds(86_400), in: .seconds(1)...Duration.seconds(31_536_000),
            help: "How long an idempotency key stays its request's.")
        auditGrace = reader.nanoseconds(
            "audit-grace", default: .seconds(Int64(AuditGrace.defaultSeconds)), in: .zero...Duration.seconds(3600),
            help: "How long after its end a request whose attempts have not all come is pending in audits.")
        certificate = DoorCertificate.read(&reader)
        if let path = reader.optionalPath(
            "keys", help: "File of API keys, as ingest's: who may read reports. Without it, whoever reaches the door.")
        {
            do {
                keys = try KeyRing(contentsOf: path)
            } catch {
                reader.refuse("keys", because: "\(error)")
            }
        }
        guard
            let path = reader.optionalPath(
                "prices", help: "JSON file of prices by model; without it illustrative ones hold.")
        else { return }
        do {
            prices = try PriceList(contentsOf: path)
        } catch {
            reader.refuse("prices", because: "\(error)")
        }
    }
}

@main
enum Main {
    static func main() async {
        let settings = SettingsLoader(
            program: "accounting", about: "keeps the ledger: what was made, delivered and billed, exactly once."
        ).loadOrExit { AccountingSettings(&$0) }.settings
        let logger = settings.station.log.makeLogger("accounting", fields: ["name": "\(settings.station.name)"])
        do {
            exit(try await run(settings, logger))
        } catch {
            logger.critical("cannot start", metadata: ["error": "\(error)"])
            exit(1)
        }
    }

    /// Opens the ledger; while the disk has no room for that, waits and says so.
    private static func open(_ settings: AccountingSettings, _ logger: Logger) async throws -> LedgerStore {
        while true {
            do throws(LedgerError) {
                return try LedgerStore(
                    path: settings.database, prices: settings.prices,
                    settings: LedgerSettings(claimTime: settings.claimTime), now: WallClock.now(),
                    holder: settings.station.name)
            } catch {
                guard case .full = error else { throw error }
                logger.critical("waits for room to open the ledger", metadata: ["error": "\(error)"])
            }
            try await Task.sleep(for: .seconds(2))
        }
    }

    private static func run(_ settings: AccountingSettings, _ logger: Logger) async throws -> Int32 {
        let protection = settings.station.links
        try protection.check("ledger-link", settings.ledgerLink)
        try protection.check("http", host: settings.http.host, isProtected: settings.keys != nil)
        let folder = URL(fileURLWithPath: settings.database).deletingLastPathComponent()
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let store = try await open(settings, logger)
        let station = try StationParts(
            name: "accounting", spinMicroseconds: UInt64(settings.station.spinMicroseconds))
        let linkWatch = Task { await protection.watch(logger: logger) }
        defer { linkWatch.cancel() }
        let linkGuard = protection.guardian(of: "ledger-link", roles: ["ingest", "tokenizer", "inference-worker"])
        let authenticator = try linkGuard.map { try ZAPAuthenticator(station.context, guards: [$0]) }
        defer { withExtendedLifetime(authenticator) {} }
        let presence = LedgerPresence(timeToLive: settings.reservationTime)
        let writer = LedgerWriter(store, presence: presence)
        var configuration = AccountingConfiguration(
            name: settings.station.name, ledgerLink: settings.ledgerLink, line: settings.station.line,
            linkGuard: linkGuard)
        let descriptors = DescriptorBudget.raised()
        configuration.connections = descriptors.connections(percent: 50, atMost: configuration.connections)
        let loop = try AccountingLoop(
            configuration,
            station: station, writer: writer, log: logger)
        let ports = PortsFile(path: settings.station.portsFile, names: ["ledger-link", "http"])
        let metrics = MetricsRegistry()
        await loop.publish(to: metrics)
        let watch = settings.keys.map { keys in Task { await keys.watch(log: logger) } }
        defer { watch?.cancel() }
        let certificateWatch = settings.certificate.map { certificate in
            Task { await certificate.watch(log: logger, metrics: metrics) }
        }
        defer { certificateWatch?.cancel() }
        return await runStation(
            [
                AdminDoor(
                    address: settings.http, certificate: settings.certificate,
                    connections: descriptors.connections(percent: 40, atMost: 1024),
                    metrics: metrics, logger: logger,
                    health: {
                        do {
                            _ = try store.reader.head()
                            return presence.failure.map { .failing($0) } ?? .ok
                        } catch {
                            return .failing("the ledger cannot be read: \(error)")
                        }
                    },
                    addRoutes: {
                        LedgerRoutes(store, keys: settings.keys, auditGrace: settings.auditGrace).add(to: $0)
                    },
                    onBound: { address in
                        Task {
                            do { try await ports.note("http", "\(address)") } catch {
                                logger.error("cannot write the ports file", metadata: ["error": "\(error)"])
                            }
                        }
                    }),
                LedgerUpkeep(
                    writer: writer, spoolDirectory: settings.station.spoolDirectory,
                    interval: .nanoseconds(Int64(clamping: min(settings.reservationTime / 4, 2_000_000_000))),
                    log: logger),
                StationRun(
                    start: {
                        await loop.start()
                        try await ports.note("ledger-link", "\(loop.ledgerLink)")
                    }, drain: { await loop.stop() }),
            ], logger: logger)
    }
}
