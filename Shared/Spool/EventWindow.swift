import Wire

/// Events in the order of their numbers, taken from the front.
struct EventWindow {
    private var entries: [(number: UInt64, event: LedgerEvent)] = []
    private var start = 0

    var count: Int { entries.count - start }

    mutating func append(_ event: LedgerEvent, number: UInt64) { entries.append((number, event)) }

    mutating func remove(through number: UInt64) {
        while start < entries.count, entries[start].number <= number { start += 1 }
        // Moving the rest costs less than what was taken since the last time.
        if start > entries.count / 2 {
            entries.removeFirst(start)
            start = 0
        }
    }

    /// From the first event of at least `number`, as far as the numbers have no gap.
    func batch(from number: UInt64, limit: Int) -> RecordBatch? {
        var low = start
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].number < number { low = middle + 1 } else { high = middle }
        }
        guard low < entries.count, limit > 0 else { return nil }
        var batch = RecordBatch(first: entries[low].number, events: [])
        for (number, event) in entries[low...].prefix(limit) {
            guard number == batch.first + UInt64(batch.events.count) else { break }
            batch.events.append(event)
        }
        return batch
    }
}
