import Dispatch
import Glibc
public import Ledger
public import LedgerStore
import Station
import Wire

/// What became of a group of batches.
public struct GroupResult: Sendable {
    /// Of all that is on disk.
    public var applied = ApplyResult()
    /// Batches that the ledger cannot take, whatever is tried: their places in the group.
    public var failed: [(index: Int, error: LedgerError)] = []
    /// Why the rest is not on disk and is to be tried again, and from which place on.
    public var interrupted: (index: Int, error: LedgerError)?

    public init() {}
}

/// The threads that write the ledger: one group after the other, the caller never waits. Claims have a thread of their
/// own, so that none waits for more than the transaction under way.
public final class LedgerWriter: Sendable {
    public let store: LedgerStore
    public let presence: LedgerPresence
    private let queue = DispatchQueue(label: "ledger", qos: .userInitiated)
    private let claims = DispatchQueue(label: "ledger-claims", qos: .userInitiated)

    public init(_ store: LedgerStore, presence: LedgerPresence) {
        self.store = store
        self.presence = presence
    }

    /// Commits a group in one transaction; `completion` runs on the writer's thread.
    ///
    /// Where one batch makes the transaction fail, each has its own, so that it holds up no other.
    func apply(_ batches: [ProducerBatch], completion: @escaping @Sendable (GroupResult) -> Void) {
        queue.async { [store, presence] in
            var result = GroupResult()
            do throws(LedgerError) {
                // A group takes milliseconds of a core. Requests that wake up meanwhile need it for microseconds, and
                // would wait for the end of this thread's slice.
                result.applied = try store.apply(batches, now: WallClock.now()) { sched_yield() }
            } catch {
                if error.isOfContent {
                    Self.applyEach(batches, store, &result)
                } else {
                    result.interrupted = (0, error)
                }
            }
            presence.wrote(result.interrupted.map { "the ledger cannot be written: \($0.error)" })
            completion(result)
        }
    }

    private static func applyEach(_ batches: [ProducerBatch], _ store: LedgerStore, _ result: inout GroupResult) {
        for (index, batch) in batches.enumerated() {
            do throws(LedgerError) {
                result.applied.add(try store.apply([batch], now: WallClock.now()))
            } catch {
                guard error.isOfContent else {
                    result.interrupted = (index, error)
                    return
                }
                result.failed.append((index, error))
            }
        }
    }

    /// Decides about claims at once; nil where the ledger cannot be written.
    func claim(_ asks: [ClaimAsk], completion: @escaping @Sendable ([ClaimAnswer]?) -> Void) {
        claims.async { [store, presence] in
            do throws(LedgerError) {
                completion(try store.claim(asks, elapsed: presence.elapsed) { presence.isGone($0) })
            } catch {
                if !error.isOfContent { presence.wrote("claims cannot be written: \(error)") }
                completion(nil)
            }
        }
    }

    /// Runs upkeep (expiry, orphaned spools) between two groups.
    public func maintain(_ body: @escaping @Sendable (LedgerStore) -> Void) {
        queue.async { [store] in body(store) }
    }
}

extension ApplyResult {
    fileprivate mutating func add(_ other: ApplyResult) {
        recorded += other.recorded
        duplicates += other.duplicates
        conflicts += other.conflicts
        gaps += other.gaps
        acknowledged.merge(other.acknowledged) { max($0, $1) }
        refused += other.refused
        offenders.merge(other.offenders) { $1 }
    }
}
