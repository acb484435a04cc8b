public import Line
public import Logging
import Spool
public import Transport
public import Wire

/// Sends to accounting what earlier lives of a station, or siblings of its role, left in its spool directory: each spool
/// in a session of its own that names the epoch of the process that is gone.
///
/// So stations lose nothing on hosts that share no disk with accounting. Where accounting sees the directory too, whoever
/// has the spool's lock first takes it.
public actor SpoolReplay: DiallingStation {
    /// What a replay needs.
    public struct Configuration: Sendable {
        public var directory: String
        public var accounting: Endpoint
        public var role: StationRole
        public var name: String
        public var line: LineSettings
        public var credentials: LinkCredentials?

        public init(
            directory: String, accounting: Endpoint, role: StationRole, name: String, line: LineSettings,
            credentials: LinkCredentials?
        ) {
            self.directory = directory
            self.accounting = accounting
            self.role = role
            self.name = name
            self.line = line
            self.credentials = credentials
        }
    }

    public nonisolated let reactor: Reactor
    public nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.executor }
    public let log: Logger
    public let ledger: LedgerProducer
    public let dialling: Dialling

    private init(
        _ spool: consuming sending Spool, _ configuration: Configuration, parts: StationParts, log: Logger
    ) {
        self.log = log
        let parts = parts.speaking(for: spool.epoch)
        reactor = parts.reactor
        dialling = Dialling(resolver: parts.resolver)
        ledger = LedgerProducer(
            spool: spool, station: parts, accounting: configuration.accounting, role: configuration.role,
            name: configuration.name, settings: configuration.line, credentials: configuration.credentials)
    }

    public func tick(_ now: UInt64) {}

    public func endTurn() { ledger.flush(log: log) }

    private func start() { beginTurns() }

    /// Returns when accounting has everything and the files are gone, or when the task is cancelled: the rest stays.
    private func finish() async {
        while !Task.isCancelled, ledger.pending > 0 { try? await Task.sleep(for: .milliseconds(20)) }
        await ledger.finish(withinSeconds: 0, log: log)
        ledger.links.close()
    }

    /// Looks for abandoned spools every `interval` and replays them one by one, until the task is cancelled.
    public static func run(
        _ configuration: Configuration, every interval: Duration = .seconds(2), log: Logger
    ) async {
        var parts: StationParts?
        let complaints = SaidOnce()
        while !Task.isCancelled {
            do {
                while !Task.isCancelled, let orphan = try abandoned(configuration, complaints, log) {
                    let used = try parts ?? StationParts(name: "replay")
                    parts = used
                    await replay(orphan, configuration, parts: used, log: log)
                }
            } catch {
                if complaints.isNew("\(error)") {
                    log.error("an abandoned spool cannot be replayed", metadata: ["error": "\(error)"])
                }
            }
            try? await Task.sleep(for: interval)
        }
        parts?.reactor.stop()
    }

    /// The next spool; each thing that is wrong with one is said once.
    private static func abandoned(
        _ configuration: Configuration, _ complaints: SaidOnce, _ log: Logger
    ) throws(SpoolError) -> Spool? {
        try Spool.adopt(in: configuration.directory, wallTime: WallClock.now()) { path, error in
            guard complaints.isNew("\(path): \(error)") else { return }
            log.critical("a spool cannot be taken over", metadata: ["file": "\(path)", "error": "\(error)"])
        }
    }

    private static func replay(
        _ orphan: consuming sending Spool, _ configuration: Configuration, parts: StationParts, log: Logger
    ) async {
        let (events, damaged, epoch) = (orphan.pending, orphan.damagedRecords, orphan.epoch)
        if damaged > 0 {
            log.critical(
                "records of an abandoned spool cannot be read back",
                metadata: ["records": "\(damaged)", "epoch": "\(epoch)"])
        }
        let replay = SpoolReplay(orphan, configuration, parts: parts, log: log)
        await replay.start()
        await replay.finish()
        log.notice(
            "replayed the spool of a process that is gone",
            metadata: ["events": "\(events)", "epoch": "\(epoch)"])
    }
}
