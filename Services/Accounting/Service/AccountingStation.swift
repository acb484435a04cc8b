import Line
public import Logging
public import Station
public import Telemetry
public import Transport

/// Accounting as it runs: the value, its shell, and the threads that write the ledger.
public struct AccountingStation: Sendable {
    /// Where it listens, and for whom.
    public struct Listening: Sendable {
        /// Where producers dial.
        public var ledgerLink: Endpoint
        /// Who may dial it, where it is reached over TCP; nil for a plain link.
        public var linkGuard: LinkGuard?
        /// Producers' connections at once.
        public var connections = ConnectionLimits().connections

        public init(ledgerLink: Endpoint, linkGuard: LinkGuard? = nil) {
            self.ledgerLink = ledgerLink
            self.linkGuard = linkGuard
        }
    }

    /// Where producers dial, with the actual port.
    public let ledgerLink: Endpoint
    private let shell: StationShell<Accounting>

    public init(
        _ settings: AccountingSettings, _ listening: Listening, station: StationParts, writer: LedgerWriter, log: Logger
    ) throws(TransportError) {
        let socket = try ListenSocket(
            station.context, bind: listening.ledgerLink,
            options: SocketOptions(connections: listening.connections), guardedBy: listening.linkGuard)
        ledgerLink = socket.endpoint
        shell = StationShell(
            Accounting(settings, epoch: station.epoch), station: station, ledger: nil,
            links: [StationLink("ledger_link", socket)], tickInterval: 50_000_000, log: log,
            perform: { command, shell in Self.perform(command, by: writer, for: shell) })
    }

    private static func perform(
        _ command: LedgerCommand, by writer: LedgerWriter, for shell: StationShell<Accounting>
    ) {
        switch command {
        case .apply(let group):
            writer.apply(group) { [weak shell] result in shell?.post { $0.written(result, now: $1) } }
        case .claim(let asks):
            writer.claim(asks) { [weak shell] answers in shell?.post { $0.decided(answers, now: $1) } }
        case .sessionBegan(let epoch): writer.presence.sessionBegan(epoch)
        case .sessionEnded(let epoch): writer.presence.sessionEnded(epoch)
        case .piles(let reason): writer.presence.piles(reason)
        }
    }

    public var reactor: Reactor { shell.reactor }

    /// Begins to listen.
    public func start() async { await shell.start() }

    /// Commits what has come and returns; producers keep the rest.
    public func stop(boundSeconds: Double = 25) async { await shell.drain(boundSeconds: boundSeconds) }

    /// States accounting's counters in `registry` from now on.
    public func publish(to registry: MetricsRegistry) async {
        await shell.publish(to: registry, prefix: "tokenfactory_accounting")
    }
}
