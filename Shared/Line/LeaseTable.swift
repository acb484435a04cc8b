/// The leases of one session, by handle. A handle is a generation (upper 16 bits, from 1) and a slot (lower 16 bits);
/// a slot whose generations are used up is never used again in the session.
struct LeaseTable: Sendable {
    private struct Entry: Sendable {
        var work: UInt64
        var generation: UInt16
        var isActive: Bool
    }

    static let slotLimit = 1 << 16

    private var entries: [Entry] = []
    private var free: [UInt16] = []
    private(set) var count = 0

    /// Whether a further lease can begin.
    var hasRoom: Bool { !free.isEmpty || entries.count < Self.slotLimit }

    /// - Returns: the new lease's handle, or nil when every slot is taken or used up.
    mutating func begin(_ work: UInt64) -> UInt32? {
        let slot: Int
        if let reused = free.popLast() {
            slot = Int(reused)
            entries[slot].generation += 1
            entries[slot].work = work
            entries[slot].isActive = true
        } else {
            guard entries.count < Self.slotLimit else { return nil }
            slot = entries.count
            entries.append(Entry(work: work, generation: 1, isActive: true))
        }
        count += 1
        return UInt32(entries[slot].generation) << 16 | UInt32(slot)
    }

    func work(of handle: UInt32) -> UInt64? {
        let slot = Int(handle & 0xffff)
        guard slot < entries.count, entries[slot].isActive, UInt32(entries[slot].generation) == handle >> 16 else {
            return nil
        }
        return entries[slot].work
    }

    mutating func end(_ handle: UInt32) -> UInt64? {
        guard let work = work(of: handle) else { return nil }
        let slot = Int(handle & 0xffff)
        entries[slot].isActive = false
        if entries[slot].generation < .max { free.append(UInt16(slot)) }
        count -= 1
        return work
    }

    /// Ends every lease and forgets all handles, for the next session.
    /// - Returns: the works that were leased.
    mutating func removeAll() -> [UInt64] {
        let works = entries.compactMap { $0.isActive ? $0.work : nil }
        entries.removeAll(keepingCapacity: true)
        free.removeAll(keepingCapacity: true)
        count = 0
        return works
    }
}
