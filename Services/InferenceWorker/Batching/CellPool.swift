/// The unified KV cache's cells, counted: which are free, which some sequence holds, which a running one holds. A cell
/// that several sequences share counts once.
struct CellPool: Sendable {
    private var holders: [UInt16]
    private var pins: [UInt16]
    private var free: [Int32]
    /// Cells that a running sequence holds.
    private(set) var pinnedCount = 0

    init(count: Int) {
        holders = Array(repeating: 0, count: count)
        pins = Array(repeating: 0, count: count)
        free = (0..<Int32(count)).reversed()
    }

    var capacity: Int { holders.count }
    var freeCount: Int { free.count }
    var usedCount: Int { holders.count - free.count }
    /// Cells that only finished sequences hold.
    var retainedCount: Int { usedCount - pinnedCount }

    func isPinned(_ cell: Int32) -> Bool { pins[Int(cell)] > 0 }

    /// Takes a free cell for a running sequence.
    mutating func take() -> Int32? {
        guard let cell = free.popLast() else { return nil }
        holders[Int(cell)] = 1
        pins[Int(cell)] = 1
        pinnedCount += 1
        return cell
    }

    /// One running sequence more holds the cell.
    mutating func share(_ cell: Int32) {
        holders[Int(cell)] += 1
        pin(cell)
    }

    /// A finished sequence that holds the cell runs again.
    mutating func pin(_ cell: Int32) {
        if pins[Int(cell)] == 0 { pinnedCount += 1 }
        pins[Int(cell)] += 1
    }

    /// A running sequence that holds the cell has finished.
    mutating func unpin(_ cell: Int32) {
        pins[Int(cell)] -= 1
        if pins[Int(cell)] == 0 { pinnedCount -= 1 }
    }

    /// A finished sequence no longer holds the cell.
    mutating func drop(_ cell: Int32) {
        holders[Int(cell)] -= 1
        if holders[Int(cell)] == 0 { free.append(cell) }
    }

    /// Sequences that hold each cell, for checks.
    var holderCounts: [UInt16] { holders }
}
