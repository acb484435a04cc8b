import LedgerStore
public import Logging
public import ServiceLifecycle
import Spool
import Station
import Wire

/// What the ledger needs besides events: reservations that nobody resolves expire, and spools whose owners are gone are
/// taken over.
public struct LedgerUpkeep: Service {
    private let writer: LedgerWriter
    private let spoolDirectory: String
    private let interval: Duration
    private let log: Logger

    public init(writer: LedgerWriter, spoolDirectory: String, interval: Duration, log: Logger) {
        self.writer = writer
        self.spoolDirectory = spoolDirectory
        self.interval = interval
        self.log = log
    }

    /// Works every `interval` until the group shuts down.
    public func run() async {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await withCheckedContinuation { continuation in
                    writer.maintain { store in
                        adopt(store)
                        expire(store)
                        continuation.resume()
                    }
                }
                try? await Task.sleep(for: interval)
            }
        }
    }

    private func expire(_ store: LedgerStore) {
        do throws(LedgerError) {
            var expired = 0
            while true {
                let some = try store.expire(now: WallClock.now())
                expired += some
                if some == 0 { break }
            }
            if expired > 0 { log.info("reservations expired", metadata: ["requests": "\(expired)"]) }
        } catch {
            log.error("reservations cannot expire", metadata: ["error": "\(error)"])
        }
    }

    private func adopt(_ store: LedgerStore) {
        do {
            while let orphan = try Spool.adopt(in: spoolDirectory) {
                let events = orphan.pending
                let epoch = orphan.epoch
                try replay(orphan, into: store)
                log.notice(
                    "took over the spool of a process that is gone",
                    metadata: ["events": "\(events)", "epoch": "\(epoch)"])
            }
        } catch {
            log.error("an abandoned spool cannot be replayed", metadata: ["error": "\(error)"])
        }
    }

    private func replay(_ spool: consuming Spool, into store: LedgerStore) throws {
        while let batch = try spool.unacknowledged(from: 1, limit: 4096) {
            let result = try store.apply(
                [ProducerBatch(producer: spool.epoch, batch: batch)], now: WallClock.now())
            guard let through = result.acknowledged[spool.epoch] else { return }
            try spool.acknowledge(through: through)
        }
        try spool.close()
    }
}
