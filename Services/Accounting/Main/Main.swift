import AccountingService
import AdminDoor
import ArgumentParser
import Economics
import Foundation
import Keys
import Launch
import Ledger
import LedgerDatabase
import LedgerStore
import Line
import Logging
import ServiceLifecycle
import Release
import Settings
import Spool
import Station
import Telemetry
import Transport
import Wire

/// Accounting: its settings, and how its parts are put together.
@main
struct AccountingProgram: StationProgram {
    static let configuration = CommandConfiguration(
        commandName: "accounting", abstract: "Keeps the ledger: what was made, delivered and billed, exactly once.",
        version: ProductVersion.text)

    @Option("ledger-link", port: 7703, help: "Where producers of ledger events dial.")
    var ledgerLink: Endpoint
    @Option("http", port: 8081, help: "Where reports, /healthz and /metrics are.")
    var http: DoorAddress
    @Option("database", default: ".run/ledger.sqlite", as: "path", help: "The ledger's SQLite file.")
    var database: String
    @Option(
        "reservation-ttl", default: .seconds(3600), in: .seconds(1)...Duration.seconds(31_536_000),
        help: "When an ingest has been away for so long, its open requests expire, unbilled.")
    var reservationTime: UInt64
    @Option(
        "claim-ttl", default: .seconds(86_400), in: .seconds(1)...Duration.seconds(31_536_000),
        help: "How long an idempotency key stays its request's.")
    var claimTime: UInt64
    @Option(
        "audit-grace", default: .seconds(Int64(AuditGrace.defaultSeconds)), in: .zero...Duration.seconds(3600),
        help: "How long after its end a request whose attempts have not all come is pending in audits.")
    var auditGrace: UInt64
    @OptionGroup var certificateFiles: DoorCertificate.Options
    @Option(
        "keys", as: "path",
        help: "File of API keys, as ingest's: who may read reports. Without it, whoever reaches the door.")
    var keyFile: String?
    @Option("prices", as: "path", help: "JSON file of prices by model; without it illustrative ones hold.")
    var priceFile: String?
    @OptionGroup(title: "Station") var station: StationSettings

    static func main() async { await start() }
}

extension AccountingProgram {
    /// Opens the ledger; while the disk has no room for that, waits and says so.
    private static func open(
        _ settings: AccountingProgram, _ prices: PriceList, _ logger: Logger
    ) async throws -> LedgerStore {
        while true {
            do throws(LedgerError) {
                return try LedgerStore(
                    path: settings.database, prices: prices,
                    settings: LedgerSettings(claimTime: settings.claimTime), now: WallClock.now(),
                    holder: settings.station.name)
            } catch {
                guard case .full = error else { throw error }
                logger.critical("waits for room to open the ledger", metadata: ["error": "\(error)"])
            }
            try await Task.sleep(for: .seconds(2))
        }
    }

    static func serve(_ settings: AccountingProgram, _ logger: Logger) async throws -> Int32 {
        let protection = try settings.station.links.protection()
        let keys = try settings.keyFile.map { path in
            try SettingsError.naming("keys") { try KeyRing(contentsOf: path) }
        }
        let certificate = try settings.certificateFiles.load()
        let prices = try settings.priceFile.map { path in
            try SettingsError.naming("prices") { try PriceList(contentsOf: path) }
        }
        try protection.check("ledger-link", settings.ledgerLink)
        try protection.check("http", host: settings.http.host, isProtected: keys != nil)
        let folder = URL(fileURLWithPath: settings.database).deletingLastPathComponent()
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let store = try await open(settings, prices ?? .illustrative, logger)
        let station = try StationParts(
            name: "accounting", spinMicroseconds: UInt64(settings.station.spinMicroseconds))
        let linkWatch = Task { await protection.watch(logger: logger) }
        defer { linkWatch.cancel() }
        let linkGuard = protection.guardian(of: "ledger-link", roles: ["ingest", "tokenizer", "inference-worker"])
        let authenticator = try linkGuard.map { try ZAPAuthenticator(station.context, guards: [$0]) }
        defer { withExtendedLifetime(authenticator) {} }
        let presence = LedgerPresence(timeToLive: settings.reservationTime)
        let writer = LedgerWriter(store, presence: presence)
        var listening = AccountingStation.Listening(ledgerLink: settings.ledgerLink, linkGuard: linkGuard)
        let descriptors = DescriptorBudget.raised()
        listening.connections = descriptors.connections(percent: 50, atMost: listening.connections)
        let accounting = try AccountingStation(
            AccountingSettings(name: settings.station.name, line: settings.station.line), listening, station: station,
            writer: writer, log: logger)
        let drainSeconds = settings.station.drainSeconds
        let ports = PortsFile(path: settings.station.portsFile, names: ["ledger-link", "http"])
        let metrics = MetricsRegistry()
        await accounting.publish(to: metrics)
        let watch = keys.map { keys in Task { await keys.watch(log: logger) } }
        defer { watch?.cancel() }
        let certificateWatch = certificate.map { certificate in
            Task { await certificate.watch(log: logger, metrics: metrics) }
        }
        defer { certificateWatch?.cancel() }
        return await runStation(
            [
                AdminDoor(
                    address: settings.http, certificate: certificate,
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
                        LedgerRoutes(store, keys: keys, auditGrace: settings.auditGrace).add(to: $0)
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
                        await accounting.start()
                        try await ports.note("ledger-link", "\(accounting.ledgerLink)")
                    }, drain: { await accounting.stop(boundSeconds: drainSeconds) }),
            ], logger: logger)
    }
}
