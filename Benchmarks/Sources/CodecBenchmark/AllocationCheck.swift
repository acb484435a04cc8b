import AllocationCounter

/// Heap allocations of a piece of code, by the executable's own malloc.
enum AllocationCheck {
    private final class Node {
        let number: Int
        init(_ number: Int) { self.number = number }
    }

    /// Allocations of this thread during `body`.
    static func count(_ body: () throws -> Void) rethrows -> UInt64 {
        let before = allocation_count()
        try body()
        return allocation_count() - before
    }

    /// Proves that the counter counts: nothing for a loop without allocation, and every one of a thousand objects,
    /// which the Swift runtime's library allocates.
    static func proveThatItCounts() throws {
        var nodes: [Node] = []
        nodes.reserveCapacity(1000)
        var sum = 0
        let none = count { for node in nodes { sum += node.number } }
        let thousand = count { for number in 0..<1000 { nodes.append(Node(number)) } }
        for node in nodes { sum += node.number }
        guard none == 0, thousand == 1000, sum == 499_500 else {
            throw BenchmarkError.counterIsBlind(none: none, thousand: thousand)
        }
    }
}
