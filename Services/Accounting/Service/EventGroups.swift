import Ledger
import Line
import Wire

/// Events on their way to the disk: those that wait, and the group that is being written.
///
/// A group is written at a time. What comes meanwhile is the next one.
struct EventGroups {
    struct Waiting: Sendable {
        var session: SessionRef
        var batch: ProducerBatch
    }

    /// Events that are worth a commit at once, and nanoseconds that fewer wait for others: each commit costs a
    /// signature and a write to the disk, which takes milliseconds of a core from whoever serves requests.
    private static let groupEvents = 1024
    private static let groupTime: LinkTime = 200_000_000
    /// Nanoseconds after which events that wait for the disk are a pile.
    private static let pileAge: LinkTime = 4_000_000_000

    private var waiting: [Waiting] = []
    private var writing: [Waiting]?
    /// When the first of those that wait came.
    private var since: LinkTime = 0
    private var backoff = Backoff()
    /// Events that wait.
    private(set) var count = 0
    /// Groups that were begun.
    private(set) var begun: UInt64 = 0

    var isEmpty: Bool { waiting.isEmpty }
    var isWriting: Bool { writing != nil }
    /// Whether enough waits for a group.
    var isGroup: Bool { count >= Self.groupEvents }

    /// Whether what waits has waited long enough for others.
    func isDue(_ now: LinkTime) -> Bool { now >= since && now - since >= Self.groupTime }

    func isPile(_ now: LinkTime) -> Bool { !isEmpty && now > since && now - since > Self.pileAge }

    mutating func add(_ batch: ProducerBatch, of session: SessionRef, now: LinkTime) {
        if waiting.isEmpty { since = now }
        count += batch.batch.events.count
        waiting.append(Waiting(session: session, batch: batch))
    }

    /// All that waits, as the next group; nil while one is written, when nothing waits, or soon after a failure.
    mutating func begin(_ now: LinkTime) -> [ProducerBatch]? {
        guard writing == nil, !waiting.isEmpty, backoff.allows(now) else { return nil }
        begun += 1
        let group = waiting
        writing = group
        waiting = []
        count = 0
        return group.map(\.batch)
    }

    /// The group has been written.
    mutating func end() -> [Waiting] {
        defer { writing = nil }
        return writing ?? []
    }

    /// What a session that has ended left waiting is sent again in the producer's next one.
    mutating func forget(_ session: SessionRef) {
        waiting.removeAll { $0.session == session }
        recount()
    }

    /// The disk has taken all of a group.
    mutating func succeeded() { backoff.succeeded() }

    /// The disk has not taken these: they are tried again later, before what has come since.
    mutating func putBack(_ rest: [Waiting], now: LinkTime) {
        backoff.failed(now)
        waiting = rest + waiting
        recount()
    }

    /// Nothing is tried again: who stops keeps nobody waiting.
    mutating func failed(_ now: LinkTime) { backoff.failed(now) }

    /// Nothing waits any more.
    mutating func removeAll() {
        waiting = []
        count = 0
    }

    private mutating func recount() { count = waiting.reduce(0) { $0 + $1.batch.batch.events.count } }
}
