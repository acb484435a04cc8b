import Dispatch
import Glibc
public import LedgerStore
import Station

/// The thread that writes the ledger: one group after the other, the caller never waits.
public final class LedgerWriter: Sendable {
    public let store: LedgerStore
    private let queue = DispatchQueue(label: "ledger", qos: .userInitiated)

    public init(_ store: LedgerStore) { self.store = store }

    /// Commits a group in one transaction; `completion` runs on the writer's thread.
    func apply(
        _ batches: [ProducerBatch], completion: @escaping @Sendable (Result<ApplyResult, LedgerError>) -> Void
    ) {
        queue.async { [store] in
            do throws(LedgerError) {
                // A group takes milliseconds of a core. Requests that wake up meanwhile need it for microseconds, and
                // would wait for the end of this thread's slice.
                completion(.success(try store.apply(batches, now: WallClock.now()) { sched_yield() }))
            } catch {
                completion(.failure(error))
            }
        }
    }

    /// Runs upkeep (expiry, orphaned spools) between two groups.
    public func maintain(_ body: @escaping @Sendable (LedgerStore) -> Void) {
        queue.async { [store] in body(store) }
    }
}
