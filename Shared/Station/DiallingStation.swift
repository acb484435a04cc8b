import Line
public import Logging
public import Transport

/// A station's loop that dials the ledger, and perhaps other stations above it: what such loops do alike.
public protocol DiallingStation: Actor {
    nonisolated var reactor: Reactor { get }
    var log: Logger { get }
    var ledger: LedgerProducer { get }
    var dialling: Dialling { get }
    /// Called every 20 ms with the monotonic time; the ledger is the protocol's own to tick.
    func tick(_ now: UInt64)
    /// Called at the end of each of the reactor's turns.
    func endTurn()
}

extension DiallingStation {
    /// Why the station's health is bad for what it states to the ledger; nil while it is not.
    /// - Parameter pendingLimit: Events that may wait for accounting's acknowledgement.
    public func ledgerFailure(pendingLimit: UInt64) -> String? {
        if let failure = ledger.failure { return failure }
        let pending = ledger.pending
        return pending > pendingLimit
            ? "\(pending) events wait for accounting, more than \(pendingLimit)" : nil
    }

    private static var tickInterval: UInt64 { 20_000_000 }

    /// Begins to dial the ledger, to tick, and to end turns.
    public func beginTurns() {
        ledger.attach(
            onReadable: { [weak self] link in self?.assumeIsolated { $0.ledger.drain(link, log: $0.log) } },
            onMonitor: { [weak self] link, event in
                self?.assumeIsolated { $0.ledger.links.handle(event, on: link, now: MonotonicClock.now()) }
            })
        reactor.setTick(every: Self.tickInterval) { [weak self] in
            self?.assumeIsolated { station in
                let now = MonotonicClock.now()
                station.tick(now)
                station.ledger.tick(now, log: station.log)
                station.resolveLedger(now)
            }
        }
        // Names wait to be resolved.
        reactor.bringTick(within: Self.tickInterval)
        reactor.setTurnEnd { [weak self] in self?.assumeIsolated { $0.endTurn() } }
    }

    private func resolveLedger(_ now: UInt64) {
        dialling.refresh(
            now: now, ledger.links.sockets, sessions: ledger.links.side.sessionCount, reactor: reactor
        ) { [weak self] name, addresses in
            self?.assumeIsolated { $0.ledger.links.resolved(name, to: addresses) }
        }
    }
}
