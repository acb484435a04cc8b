/// Finished sequences in the order in which they were last used. A sequence that is used again is noted again; its
/// older entry is told by its `lastUse`, and skipped by whoever takes it.
struct RetentionOrder: Sendable {
    struct Entry: Sendable {
        var slot: Int
        /// The number of the step that used it.
        var lastUse: UInt64
    }

    private var entries: [Entry] = []
    private var head = 0

    var count: Int { entries.count - head }

    /// Forgets entries that no longer tell anything.
    mutating func keep(where isCurrent: (Entry) -> Bool) {
        entries.removeFirst(head)
        head = 0
        entries.removeAll { !isCurrent($0) }
    }

    mutating func note(_ slot: Int, lastUse: UInt64) { entries.append(Entry(slot: slot, lastUse: lastUse)) }

    mutating func takeFirst() -> Entry? {
        guard head < entries.count else { return nil }
        defer {
            head += 1
            if head == entries.count {
                entries.removeAll(keepingCapacity: true)
                head = 0
            } else if head >= 1024, head * 2 > entries.count {
                entries.removeFirst(head)
                head = 0
            }
        }
        return entries[head]
    }

    /// Gives back what was taken, as the first.
    mutating func putBack(_ slot: Int, lastUse: UInt64) {
        if head > 0 {
            head -= 1
            entries[head] = Entry(slot: slot, lastUse: lastUse)
        } else {
            entries.insert(Entry(slot: slot, lastUse: lastUse), at: 0)
        }
    }
}
