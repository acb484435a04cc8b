import Line
public import Logging
public import Station
public import Telemetry
public import Tokenization
public import Transport

/// The tokenizer as it runs: the value, its shell, and the threads that encode.
public struct TokenizerStation: Sendable {
    /// Where it listens and dials.
    public struct Links: Sendable {
        /// Ingests' tokenizer links.
        public var ingests: [Endpoint]
        /// What ingests are shown; nil for plain links.
        public var credentials: LinkCredentials?
        /// Where workers dial.
        public var workerLink: Endpoint
        /// Who may dial the worker link, where it is reached over TCP; nil for a plain link.
        public var workerGuard: LinkGuard?
        /// Workers' connections at once.
        public var workerConnections = ConnectionLimits().connections

        public init(
            ingests: [Endpoint], credentials: LinkCredentials? = nil, workerLink: Endpoint,
            workerGuard: LinkGuard? = nil
        ) {
            self.ingests = ingests
            self.credentials = credentials
            self.workerLink = workerLink
            self.workerGuard = workerGuard
        }
    }

    /// Where workers dial, with the actual port.
    public let workerLink: Endpoint
    private let shell: StationShell<Tokenizer>

    /// - Parameters:
    ///   - encoder: Encodes prompts; used on `threads` threads.
    ///   - wallSeconds: Seconds since 1970, for templates that say what day it is.
    public init(
        _ settings: TokenizerSettings, _ links: Links, station: StationParts, encoder: PromptEncoder,
        table: TokenTable, threads: Int, ledger: consuming sending LedgerProducer, log: Logger,
        wallSeconds: @escaping @Sendable () -> Int64
    ) throws(TransportError) {
        let socket = try ListenSocket(
            station.context, bind: links.workerLink, options: SocketOptions(connections: links.workerConnections),
            guardedBy: links.workerGuard)
        workerLink = socket.endpoint
        let reactor = station.reactor
        let desk = EncodeDesk(encoder: encoder, threads: threads, wallSeconds: wallSeconds) { reactor.post($0) }
        shell = StationShell(
            Tokenizer(settings, table: table, epoch: station.epoch), station: station, ledger: ledger,
            links: [StationLink("worker_link", socket)],
            lines: [
                StationLine(
                    "ingest_link", DialSockets(station, targets: links.ingests, credentials: links.credentials))
            ], log: log,
            perform: { command, shell in desk.perform(command, for: shell) },
            report: { mirror in
                mirror.gauge(
                    "prompts_waiting", Double(desk.waitingCount), help: "Prompts that wait to be encoded.")
            })
    }

    /// Begins to listen and to dial.
    public func start() async { await shell.start() }

    /// Gives notice upward, finishes what is held, and returns when nothing is, or at the bound, having handed back the
    /// rest.
    public func drain(boundSeconds: Double) async { await shell.drain(boundSeconds: boundSeconds) }

    /// Whether a worker and an ingest are there.
    public var isReady: Bool { get async { await shell.isReady } }

    /// Why the health is bad for what is stated to the ledger; nil while it is not.
    public func ledgerFailure(pendingLimit: UInt64) async -> String? {
        await shell.ledgerFailure(pendingLimit: pendingLimit)
    }

    /// States the tokenizer's counters in `registry` from now on.
    public func publish(to registry: MetricsRegistry) async {
        await shell.publish(to: registry, prefix: "tokenfactory_tokenizer")
    }
}
