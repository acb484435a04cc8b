import Ledger
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
    private let complaints = SaidOnce()

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
        let presence = writer.presence
        do throws(LedgerError) {
            var expired = 0
            while true {
                let some = try store.expire(
                    now: WallClock.now(), isGone: { presence.isGone($0) }, unowned: { presence.due($0) })
                expired += some
                if some == 0 { break }
            }
            if expired > 0 { log.info("reservations expired", metadata: ["requests": "\(expired)"]) }
            _ = try store.forgetClaims(elapsed: presence.elapsed)
            // Beside a line that writes nothing, or cannot, nobody else would find out.
            if presence.failure != nil || presence.isQuiet(for: 2_000_000_000) {
                try store.probe(now: WallClock.now())
                presence.wrote(nil)
            }
        } catch {
            presence.wrote("the ledger cannot be written: \(error)")
            log.error("the ledger's upkeep fails", metadata: ["error": "\(error)"])
        }
    }

    private func adopt(_ store: LedgerStore) {
        for folder in SpoolFolders.all(in: spoolDirectory) { adopt(store, in: folder) }
    }

    private func adopt(_ store: LedgerStore, in folder: String) {
        do {
            let onDamaged = { (path: String, error: SpoolError) in
                guard complaints.isNew("\(path): \(error)") else { return }
                log.critical("a spool cannot be taken over", metadata: ["file": "\(path)", "error": "\(error)"])
            }
            while let orphan = try Spool.adopt(
                in: folder, wallTime: WallClock.now(), onDamaged: onDamaged)
            {
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
            let orphan = ProducerBatch(producer: spool.epoch, isOrphan: true, batch: batch)
            let result = try store.apply([orphan], now: WallClock.now())
            for refused in result.refused {
                // It would stand before all other spools for ever.
                log.critical(
                    "events of an abandoned spool are not its producer's to state, and are passed over",
                    metadata: ["reason": "\(refused.reason)", "events": "\(batch.events.count)"])
            }
            guard let through = result.acknowledged[spool.epoch] ?? orphan.numbers?.upperBound else { break }
            try spool.acknowledge(through: through)
        }
        try spool.close()
    }
}
