/// Which session last got work with a given prefix. Direct-mapped: a newer prefix replaces one of the same place.
struct AffinityTable: Sendable {
    private struct Entry: Sendable {
        var prefix: UInt64
        var session: SessionRef
    }

    private static let size = 4096
    private var entries: [Entry?] = []

    func session(for prefix: UInt64) -> SessionRef? {
        guard !entries.isEmpty, let entry = entries[Self.place(prefix)], entry.prefix == prefix else { return nil }
        return entry.session
    }

    mutating func note(_ prefix: UInt64, _ session: SessionRef) {
        if entries.isEmpty { entries = Array(repeating: nil, count: Self.size) }
        entries[Self.place(prefix)] = Entry(prefix: prefix, session: session)
    }

    private static func place(_ prefix: UInt64) -> Int {
        Int(truncatingIfNeeded: (prefix &* 0x9e37_79b9_7f4a_7c15) >> 52)
    }
}
