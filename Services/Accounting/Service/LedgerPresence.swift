import Ledger
import Synchronization
import Transport

/// Which producers are there, and how the writing goes: noted by the loop and the writer, asked by upkeep, claims and
/// the health of the service, each on its own thread.
public final class LedgerPresence: Sendable {
    private struct State {
        var clock: ReservationClock
        var failure: String?
        var pile: String?
        var lastWrite: UInt64
    }

    private let state: Mutex<State>
    private let began: UInt64

    /// - Parameter timeToLive: how long an ingest may be away before its open requests expire, in nanoseconds.
    public init(timeToLive: UInt64) {
        began = MonotonicClock.now()
        state = Mutex(State(clock: ReservationClock(timeToLive: timeToLive, now: began), lastWrite: began))
    }

    func sessionBegan(_ epoch: UInt64) { state.withLock { $0.clock.sessionBegan(epoch) } }

    func sessionEnded(_ epoch: UInt64) {
        state.withLock { $0.clock.sessionEnded(epoch, now: MonotonicClock.now()) }
    }

    /// Nanoseconds since accounting started.
    var elapsed: UInt64 {
        let now = MonotonicClock.now()
        return now > began ? now - began : 0
    }

    func isGone(_ epoch: UInt64) -> Bool { state.withLock { $0.clock.isGone(epoch, now: MonotonicClock.now()) } }

    func due(_ requests: Set<Int64>) -> Set<Int64> {
        state.withLock { $0.clock.due(requests, now: MonotonicClock.now()) }
    }

    /// A write has reached the disk, or why it has not.
    func wrote(_ failure: String?) {
        state.withLock {
            $0.failure = failure
            if failure == nil { $0.lastWrite = MonotonicClock.now() }
        }
    }

    /// Whether nothing was written for so long that health must be found out.
    func isQuiet(for nanoseconds: UInt64) -> Bool {
        let now = MonotonicClock.now()
        return state.withLock { now > $0.lastWrite && now - $0.lastWrite > nanoseconds }
    }

    /// Why events pile up; nil when they do not.
    func piles(_ reason: String?) { state.withLock { $0.pile = reason } }

    /// Why the ledger does not do its work; nil when it does.
    public var failure: String? { state.withLock { $0.failure ?? $0.pile } }
}
