/// Works that wait for credit: one queue for each model, ordered among one another by a running number.
/// Every operation is O(1) in the number of works.
struct WaitQueue: Sendable {
    struct Node: Sendable {
        var work: UInt64
        var model: Int
        var affinity: UInt64?
        var since: LinkTime
        fileprivate var order: Int64
        fileprivate var previous: Int
        fileprivate var next: Int
    }

    private struct List: Sendable {
        var head = -1
        var tail = -1
        var count = 0
    }

    private var nodes: [Node] = []
    private var free: [Int] = []
    private var lists: [List] = [List()]
    private var front: Int64 = 0
    private var back: Int64 = 0
    private(set) var count = 0

    /// Works of one model that wait; model 0 stands for "any".
    func count(of model: Int) -> Int { model < lists.count ? lists[model].count : 0 }

    subscript(_ index: Int) -> Node { nodes[index] }

    /// When the work that waits longest began to; nil when none waits.
    var oldest: LinkTime? {
        var oldest: LinkTime?
        for list in lists where list.head >= 0 { oldest = min(oldest ?? .max, nodes[list.head].since) }
        return oldest
    }

    /// - Returns: the work's index, good until it is removed.
    mutating func insert(_ work: UInt64, model: Int, affinity: UInt64?, atFront: Bool, now: LinkTime) -> Int {
        while lists.count <= model { lists.append(List()) }
        var node = Node(work: work, model: model, affinity: affinity, since: now, order: 0, previous: -1, next: -1)
        let head = lists[model].head
        let tail = lists[model].tail
        if atFront {
            front -= 1
            node.order = front
            node.next = head
            // Keeps the head the oldest, so that the queue's age can be read from it.
            if head >= 0 { node.since = min(now, nodes[head].since) }
        } else {
            back += 1
            node.order = back
            node.previous = tail
        }
        let index: Int
        if let reused = free.popLast() {
            index = reused
            nodes[index] = node
        } else {
            index = nodes.count
            nodes.append(node)
        }
        if atFront {
            if head >= 0 { nodes[head].previous = index } else { lists[model].tail = index }
            lists[model].head = index
        } else {
            if tail >= 0 { nodes[tail].next = index } else { lists[model].head = index }
            lists[model].tail = index
        }
        lists[model].count += 1
        count += 1
        return index
    }

    /// The first work that a peer with this model may take.
    func first(for model: Int) -> Int? {
        let any = lists[0].head
        let own = model > 0 && model < lists.count ? lists[model].head : -1
        if any < 0 { return own < 0 ? nil : own }
        if own < 0 { return any }
        return nodes[own].order < nodes[any].order ? own : any
    }

    mutating func remove(_ index: Int) {
        let node = nodes[index]
        if node.previous >= 0 { nodes[node.previous].next = node.next } else { lists[node.model].head = node.next }
        if node.next >= 0 { nodes[node.next].previous = node.previous } else { lists[node.model].tail = node.previous }
        lists[node.model].count -= 1
        count -= 1
        free.append(index)
    }
}
