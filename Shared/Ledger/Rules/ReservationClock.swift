/// Says when an ingest has been away for so long that its open requests expire.
///
/// A plain value. Times are nanoseconds of a monotonic clock: an ingest's time counts from the end of its last session,
/// and after a start of accounting from that start, so neither a step of the wall clock nor an outage of accounting ends
/// a request that lives.
public struct ReservationClock: Equatable, Sendable {
    /// How long an ingest may be away.
    public let timeToLive: UInt64
    private let began: UInt64
    private var sessions: [UInt64: Int] = [:]
    private var lastSeen: [UInt64: UInt64] = [:]
    private var firstNoticed: [Int64: UInt64] = [:]

    public init(timeToLive: UInt64, now: UInt64) {
        self.timeToLive = timeToLive
        began = now
    }

    /// A session of a producer with this epoch began.
    public mutating func sessionBegan(_ epoch: UInt64) { sessions[epoch, default: 0] += 1 }

    /// It ended.
    public mutating func sessionEnded(_ epoch: UInt64, now: UInt64) {
        guard let count = sessions[epoch] else { return }
        sessions[epoch] = count > 1 ? count - 1 : nil
        lastSeen[epoch] = now
        // What is older counts as seen at the start, which is long ago too.
        if lastSeen.count > 4096 { lastSeen = lastSeen.filter { !isOver(since: $0.value, now: now) } }
    }

    /// Whether the producer has no session, and has had none for the time to live.
    public func isGone(_ epoch: UInt64, now: UInt64) -> Bool {
        sessions[epoch] == nil && isOver(since: max(lastSeen[epoch] ?? 0, began), now: now)
    }

    /// Of these requests, those that it was told of the time to live ago, each time since; it forgets all others.
    public mutating func due(_ requests: Set<Int64>, now: UInt64) -> Set<Int64> {
        firstNoticed = firstNoticed.filter { requests.contains($0.key) }
        for request in requests where firstNoticed[request] == nil { firstNoticed[request] = now }
        return requests.filter { request in firstNoticed[request].map { isOver(since: $0, now: now) } ?? false }
    }

    private func isOver(since time: UInt64, now: UInt64) -> Bool { now > time && now - time >= timeToLive }
}
