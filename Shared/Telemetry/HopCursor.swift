public import Wire

/// Finds each request's hop records in a frame. They stand together, and in the order of the rows that end, so that a
/// look goes on where the last one ended.
public struct HopCursor: Sendable {
    private var next = 0

    public init() {}

    /// The records with this handle; none if there are none.
    public mutating func records(of handle: UInt32, in hops: [HopRecord]) -> ArraySlice<HopRecord> {
        var start = next
        if start >= hops.count || hops[start].handle != handle {
            guard let found = hops.firstIndex(where: { $0.handle == handle }) else { return [] }
            start = found
        }
        var end = start
        while end < hops.count, hops[end].handle == handle { end += 1 }
        next = end
        return hops[start..<end]
    }
}
