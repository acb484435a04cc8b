public import Line
public import Logging
public import Telemetry
public import Transport
import Wire

/// A line upward: whom it dials, and how metrics call it.
public struct StationLine {
    let name: String
    let sockets: DialSockets

    public init(_ name: String, _ sockets: DialSockets) {
        self.name = name
        self.sockets = sockets
    }
}

/// A link on which a station listens, and how metrics call it.
public struct StationLink {
    let name: String
    let socket: ListenSocket

    public init(_ name: String, _ socket: ListenSocket) {
        self.name = name
        self.socket = socket
    }
}

/// Runs a station: has its sockets, its spool, its thread, its clock and its log, and does what the value says.
///
/// Runs on its reactor's thread alone. It decides nothing.
public actor StationShell<Value: StationValue & ~Copyable> {
    public nonisolated let reactor: Reactor
    public nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.executor }
    private let log: Logger
    /// Nil for the station that keeps the ledger.
    private let ledger: LedgerProducer?
    private let dialling: Dialling
    private let tickInterval: UInt64

    private var value: Value
    /// What the value wanted done, while it is done; then memory for the next.
    private var outbox = Outbox<Value.Command>()
    private let links: [StationLink]
    private let lines: [StationLine]
    private let perform: @Sendable (Value.Command, StationShell) -> Void
    private let takeIn: @Sendable (inout Value) -> Void
    private let report: @Sendable (MetricMirror) -> Void
    private var mirror: MetricMirror?
    private var waitingForDrain: [CheckedContinuation<Void, Never>] = []
    private var isForced = false

    /// - Parameters:
    ///   - links: In the order in which the value counts them; so are the lines.
    ///   - tickInterval: Nanoseconds between two ticks; where something waits for one it comes within 20 ms.
    ///   - perform: Does what the value wants done beside the line; on the reactor's thread. Its answers are posted.
    ///   - report: States what is beside the value.
    ///   - takeIn: Brings the value what has come from beside the line, at each turn's end.
    public init(
        _ value: consuming sending Value, station: StationParts, ledger: consuming sending LedgerProducer?,
        links: sending [StationLink] = [], lines: sending [StationLine] = [], tickInterval: UInt64 = 20_000_000,
        log: Logger, perform: @escaping @Sendable (Value.Command, StationShell) -> Void,
        report: @escaping @Sendable (MetricMirror) -> Void = { _ in },
        takeIn: @escaping @Sendable (inout Value) -> Void = { _ in }
    ) {
        self.value = value
        self.log = log
        self.ledger = ledger
        self.links = links
        self.lines = lines
        self.tickInterval = tickInterval
        self.perform = perform
        self.takeIn = takeIn
        self.report = report
        reactor = station.reactor
        dialling = Dialling(resolver: station.resolver)
    }

    /// Begins to listen and to dial.
    public func start() {
        for number in links.indices { listen(number, true) }
        for (number, line) in lines.enumerated() {
            _ = value.withLine(number) { side in
                line.sockets.attach(
                    &side,
                    onReadable: { [weak self] link in self?.assumeIsolated { $0.drainLine(number, link) } },
                    onMonitor: { [weak self] link, event in
                        self?.assumeIsolated { $0.connectionChanged(event, number, link) }
                    })
            }
        }
        beginTurns()
    }

    private func listen(_ number: Int, _ isOn: Bool) {
        guard isOn else { return links[number].socket.detach() }
        links[number].socket.attach(to: reactor) { [weak self] in self?.assumeIsolated { $0.drainLink(number) } }
    }

    private func beginTurns() {
        ledger?.attach(
            onReadable: { [weak self] link in self?.assumeIsolated { $0.ledger?.drain(link, log: $0.log) } },
            onMonitor: { [weak self] link, event in
                self?.assumeIsolated { $0.ledger?.links.handle(event, on: link, now: MonotonicClock.now()) }
            })
        let isSparing = tickInterval > Self.shortTick
        reactor.setTick(every: tickInterval, slack: isSparing ? Self.shortTick / 2 : 0) { [weak self] in
            self?.assumeIsolated { $0.tick(MonotonicClock.now()) }
        }
        // Names wait to be resolved.
        reactor.bringTick(within: Self.shortTick)
        reactor.setTurnEnd { [weak self] in
            self?.assumeIsolated { shell in
                shell.endTurn()
                guard isSparing, shell.value.awaitsTick || shell.ledger?.awaitsTick ?? false else { return }
                shell.reactor.bringTick(within: Self.shortTick)
            }
        }
    }

    /// Nanoseconds within which a tick comes that something waits for.
    private static var shortTick: UInt64 { 20_000_000 }

    /// Has `body` called with the value and the time, on the reactor's thread; from any thread, returns at once.
    public nonisolated func post(_ body: @escaping @Sendable (inout Value, LinkTime) -> Void) {
        reactor.post { [weak self] in self?.assumeIsolated { body(&$0.value, MonotonicClock.now()) } }
    }

    /// The same at once, for who is on the reactor's thread already and not in the midst of a call of the value.
    public nonisolated func now(_ body: @Sendable (inout Value, LinkTime) -> Void) {
        assumeIsolated { body(&$0.value, MonotonicClock.now()) }
    }

    /// Why the station's health is bad for what it states to the ledger; nil while it is not.
    /// - Parameter pendingLimit: Events that may wait for accounting's acknowledgement.
    public func ledgerFailure(pendingLimit: UInt64) -> String? {
        guard let ledger else { return nil }
        if let failure = ledger.failure { return failure }
        let pending = ledger.pending
        return pending > pendingLimit ? "\(pending) events wait for accounting, more than \(pendingLimit)" : nil
    }

    /// Whether the station has peers for its work.
    public var isReady: Bool { value.isReady }

    /// Takes no more work and returns when what is held is done; at the bound the rest is given up, and after two
    /// seconds more it is left.
    public func drain(boundSeconds: Double) async {
        value.drain(MonotonicClock.now())
        endTurn()
        let bound = Task { [weak self] in
            try? await Task.sleep(for: .seconds(boundSeconds))
            if Task.isCancelled { return }
            await self?.giveUp()
            // The sessions' end tells the same, later, if those above do not take what is given up.
            try? await Task.sleep(for: .seconds(2))
            if !Task.isCancelled { await self?.force() }
        }
        defer { bound.cancel() }
        if !value.isDrained { await withCheckedContinuation { waitingForDrain.append($0) } }
        await ledger?.finish(withinSeconds: 3, log: log)
    }

    private func giveUp() {
        value.giveUp(MonotonicClock.now())
        endTurn()
    }

    private func force() {
        isForced = true
        resumeDrained()
    }

    private func resumeDrained() {
        guard isForced || value.isDrained else { return }
        for continuation in waitingForDrain { continuation.resume() }
        waitingForDrain = []
    }

    // MARK: What comes

    private func drainLink(_ number: Int) {
        do {
            try links[number].socket.drain(
                hasSession: { peer in value.withLink(number) { $0.info(of: peer) != nil } ?? false },
                refuse: { peer, status in _ = value.withLink(number) { $0.refuse(peer, status) } }
            ) { frame, peer, _, now in
                value.received(frame, from: .below(link: number, peer: peer), now: now)
            }
        } catch {
            log.error("cannot receive", metadata: ["link": "\(links[number].name)", "error": "\(error)"])
        }
    }

    private func drainLine(_ number: Int, _ link: UInt32) {
        do {
            try lines[number].sockets.drain(link) { frame, now in
                value.received(frame, from: .above(line: number, link: link), now: now)
            }
        } catch {
            log.error("cannot receive", metadata: ["link": "\(lines[number].name)", "error": "\(error)"])
        }
    }

    private func connectionChanged(_ event: MonitorEvent, _ number: Int, _ link: UInt32) {
        _ = value.withLine(number) {
            lines[number].sockets.handle(event, on: link, &$0, now: MonotonicClock.now())
        }
    }

    private func resolved(_ number: Int, _ name: String, to addresses: [String]) {
        _ = value.withLine(number) { lines[number].sockets.resolved(name, to: addresses, &$0) }
    }

    // MARK: Turns

    private func tick(_ now: UInt64) {
        reportMetrics(now)
        value.recordingFailure = ledger?.failure
        value.tick(now)
        for (number, link) in links.enumerated() { _ = value.withLink(number) { link.socket.tick(&$0, now: now) } }
        for (number, line) in lines.enumerated() {
            let sessions = value.withLine(number) { side in
                line.sockets.tick(&side, now: now)
                return side.sessionCount
            }
            dialling.refresh(now: now, line.sockets, sessions: sessions ?? 0, reactor: reactor) {
                [weak self] name, addresses in
                self?.assumeIsolated { $0.resolved(number, name, to: addresses) }
            }
        }
        guard let ledger else { return }
        ledger.tick(now, log: log)
        dialling.refresh(
            now: now, ledger.links.sockets, sessions: ledger.links.side.sessionCount, reactor: reactor
        ) { [weak self] name, addresses in
            self?.assumeIsolated { $0.ledger?.links.resolved(name, to: addresses) }
        }
    }

    private func endTurn() {
        takeIn(&value)
        value.recordingFailure = ledger?.failure
        while true {
            value.endTurn(MonotonicClock.now())
            guard !value.outbox.isEmpty else { break }
            swap(&value.outbox, &outbox)
            performActions()
            outbox.removeAll()
        }
        ledger?.flush(log: log)
        resumeDrained()
    }

    private func performActions() {
        for action in outbox.actions {
            switch action {
            case .send(let frame, let target): send(frame, to: target)
            case .record(let event):
                var event = outbox.events[event]
                event.wallTime = WallClock.now()
                ledger?.record(event)
            case .commit: ledger?.commit(log: log)
            case .keepRoom(let works): ledger?.keepRoom(forWorks: works, log: log)
            case .listen(let link, let isOn): listen(link, isOn)
            case .command(let number): perform(outbox.commands[number], self)
            case .log(let line): write(outbox.lines[line])
            case .reconnect(let number, let link):
                _ = value.withLine(number) { lines[number].sockets.reconnect(link, &$0) }
            }
        }
    }

    private func send(_ frame: Int, to target: Correspondent) {
        let bytes = outbox.frame(frame).bytes.span
        let outcome =
            switch target {
            case .below(let link, let peer): links[link].socket.send(bytes, to: peer)
            case .above(let line, let link): lines[line].sockets.send(bytes, on: link)
            }
        // A reset for someone who is gone, or was never there, needs no second one.
        guard outcome != .sent, FrameHeader.kind(of: bytes) != .reset else { return }
        value.unsent(bytes, to: target, now: MonotonicClock.now())
    }

    private func write(_ line: LogLine) {
        let level: Logger.Level =
            switch line.level {
            case .info: .info
            case .notice: .notice
            case .warning: .warning
            case .error: .error
            case .critical: .critical
            }
        log.log(level: level, "\(line.message)", metadata: line.fields.mapValues { "\($0)" })
    }

    // MARK: Metrics

    /// States the station's counters in `registry` from now on.
    /// - Parameter prefix: Of every name, for instance `tokenfactory_worker`.
    public func publish(to registry: MetricsRegistry, prefix: String) {
        mirror = MetricMirror(registry, prefix: prefix)
    }

    private func reportMetrics(_ now: UInt64) {
        guard let mirror, mirror.isDue(now) else { return }
        value.report(to: mirror)
        report(mirror)
        if let ledger {
            mirror.gauge("ledger_events_pending", Double(ledger.pending), help: "Events that accounting has not taken.")
            mirror.count("ledger_events_lost", ledger.counters.lost, help: "Events that the spool did not take.")
        }
        for (number, line) in lines.enumerated() {
            let counters = line.sockets.counters
            mirror.times(line.name, counters.times)
            mirror.count(
                "\(line.name)_failed_dials", counters.failedDials, help: "Connections upward that could not be made.")
            guard let side = value.withLine(number, { $0.counters }) else { continue }
            mirror.line(line.name, side, unsent: counters.unsent)
        }
        for (number, link) in links.enumerated() {
            let counters = link.socket.counters
            mirror.times(link.name, counters.times)
            mirror.refusals(link.name, counters.refusals)
            mirror.count("\(link.name)_high_water", counters.highWater, help: "Frames that met a full queue.")
            guard let dispatcher = value.withLink(number, { $0.counters }) else { continue }
            mirror.line(link.name, dispatcher, refused: counters.refused, unsent: counters.unsent)
        }
    }
}
