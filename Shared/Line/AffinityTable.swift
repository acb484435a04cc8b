/// Which session last got work with a given prefix. Of more prefixes than it holds, the one noted first goes: which one
/// that is depends on how many came since, and not on what they are, so that a tenant cannot push out chosen ones of
/// another, nor see by its own which ones another has.
struct AffinityTable: Sendable {
    private static let size = 4096
    private var sessions: [UInt64: SessionRef] = [:]
    /// In the order in which they were noted, from `next` around.
    private var order: [UInt64] = []
    private var next = 0

    func session(for prefix: UInt64) -> SessionRef? { sessions[prefix] }

    mutating func note(_ prefix: UInt64, _ session: SessionRef) {
        if order.isEmpty {
            sessions.reserveCapacity(Self.size + 1)
            order.reserveCapacity(Self.size)
        }
        guard sessions.updateValue(session, forKey: prefix) == nil else { return }
        guard order.count == Self.size else { return order.append(prefix) }
        sessions[order[next]] = nil
        order[next] = prefix
        next = (next + 1) % Self.size
    }
}
