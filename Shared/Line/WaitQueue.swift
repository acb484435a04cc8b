import HeapModule

/// Works that wait for credit, fair by weight between tenants.
///
/// Start-time fair queueing (Goyal, Vin, Cheng: "Start-time Fair Queueing", 1996) over the tenants of a model: each has
/// a virtual time, which grows by cost ÷ weight with every work that it is given, and the tenant whose time is lowest is
/// served next. So tenants that have work waiting get tokens in proportion to their weights, a tenant that is alone gets
/// everything, and one that comes anew begins where the others stand: it has no credit from before, and waits for
/// nobody's backlog. Within a tenant the lower priority value goes first, and equals go in the order of their coming.
/// Works that come back from a lost peer go before all others.
///
/// Insertion and removal are O(log tenants); nothing is allocated once as many works and tenants have been there.
struct WaitQueue: Sendable {
    /// What is to wait.
    struct Work: Sendable {
        var work: UInt64
        /// Which peers may have it; 0 stands for "any".
        var model: Int
        var affinity: UInt64?
        var share = TenantShare()
    }

    struct Node: Sendable {
        var work: Work
        var since: LinkTime
        /// The flow that it waits in, or -1 for one that came back.
        fileprivate var flow: Int
        fileprivate var order: Int64
        fileprivate var previous = -1
        fileprivate var next = -1
    }

    private struct List: Sendable {
        var head = -1
        var tail = -1
        var isEmpty: Bool { head < 0 }
    }

    /// The works of one tenant and one priority.
    private struct Level: Sendable {
        var priority: Int32
        var list = List()
    }

    /// What one tenant has waiting for one model.
    private struct Flow: Sendable {
        var key: FlowKey
        var weight: Double
        /// Those with works, by their priority.
        var levels: [Level] = []
        var count = 0
        /// The virtual time at which its next work begins.
        var time: Double = 0
        /// Whether it stands in its model's heap.
        var isListed = false
    }

    private struct FlowKey: Hashable, Sendable {
        var tenant: String
        var model: Int
    }

    /// A flow's place among those of its model.
    private struct Turn: Comparable, Sendable {
        var time: Double
        var order: Int64
        var flow: Int

        static func < (left: Turn, right: Turn) -> Bool {
            left.time != right.time ? left.time < right.time : left.order < right.order
        }
    }

    private struct Model: Sendable {
        /// Works that came back, the last one first.
        var returned = List()
        var turns = Heap<Turn>()
        /// The virtual time of the last work that was given away.
        var now: Double = 0
        var count = 0
    }

    /// Tenants without works that are remembered, so that leaving and coming again gains nothing.
    private static let idleFlows = 4096

    private var nodes: [Node] = []
    private var free: [Int] = []
    private var models: [Model] = [Model()]
    private var flows: [Flow] = []
    private var freeFlows: [Int] = []
    private var flowIndex: [FlowKey: Int] = [:]
    private var activeFlows = 0
    private var activeWeight: Double = 0
    private var order: Int64 = 0
    private(set) var count = 0

    /// Works of one model that wait; model 0 stands for "any".
    func count(of model: Int) -> Int { model < models.count ? models[model].count : 0 }

    /// Works of one tenant that wait for a model.
    func count(of model: Int, tenant: String) -> Int {
        flowIndex[FlowKey(tenant: tenant, model: model)].map { flows[$0].count } ?? 0
    }

    /// Of `limit` places, those that are a tenant's by weight among all that wait.
    func places(for share: TenantShare, model: Int, of limit: Int) -> Int {
        let isActive = count(of: model, tenant: share.tenant) > 0
        let all = activeWeight + (isActive ? 0 : share.safeWeight)
        return Int(min(Double(limit), (Double(limit) * share.safeWeight / max(all, share.safeWeight)).rounded(.up)))
    }

    subscript(_ index: Int) -> Node { nodes[index] }

    /// When the work that waits longest began to; nil when none waits.
    var oldest: LinkTime? {
        guard count > 0 else { return nil }
        var oldest = LinkTime.max
        for model in models where !model.returned.isEmpty { oldest = min(oldest, nodes[model.returned.head].since) }
        for flow in flows where flow.count > 0 {
            for level in flow.levels where !level.list.isEmpty { oldest = min(oldest, nodes[level.list.head].since) }
        }
        return oldest
    }

    /// - Parameter isReturned: It was given away before: it goes before all others.
    /// - Returns: the work's index, good until it is removed.
    mutating func insert(_ work: Work, isReturned: Bool = false, now: LinkTime) -> Int {
        while models.count <= work.model { models.append(Model()) }
        order += 1
        var node = Node(work: work, since: now, flow: -1, order: order)
        if isReturned {
            // The head is the oldest, so that the queue's age can be read from it.
            let head = models[work.model].returned.head
            if head >= 0 { node.since = min(now, nodes[head].since) }
        } else {
            node.flow = flow(of: work)
        }
        let index = place(node)
        if isReturned {
            var list = models[work.model].returned
            link(index, atFrontOf: &list)
            models[work.model].returned = list
        } else {
            let level = level(of: node.flow, priority: work.share.priority)
            var list = flows[node.flow].levels[level].list
            link(index, atEndOf: &list)
            flows[node.flow].levels[level].list = list
            flows[node.flow].count += 1
            if flows[node.flow].count == 1 { activate(node.flow) }
        }
        models[work.model].count += 1
        count += 1
        return index
    }

    /// The next work that a peer with this model may take, which leaves the queue; nil when there is none.
    mutating func popFirst(for model: Int) -> Node? {
        let any = first(of: 0)
        let own = model > 0 ? first(of: model) : nil
        guard let index = earlier(any, own) else { return nil }
        let node = nodes[index]
        remove(index, isServed: true)
        return node
    }

    /// Takes a work out that nobody is to have.
    mutating func remove(_ index: Int) { remove(index, isServed: false) }

    /// A work of the tenant cost more than was estimated (or, negative, less): its turn comes later.
    mutating func charge(_ tokens: Int, to share: TenantShare, model: Int) {
        guard let flow = flowIndex[FlowKey(tenant: share.tenant, model: model)] else { return }
        flows[flow].time = max(models[model].now, flows[flow].time + Double(tokens) / flows[flow].weight)
    }

    // MARK: Turns

    private mutating func first(of model: Int) -> Int? {
        guard model < models.count, models[model].count > 0 else { return nil }
        if !models[model].returned.isEmpty { return models[model].returned.head }
        while let turn = models[model].turns.min {
            let flow = flows[turn.flow]
            // A turn is stale when its flow has emptied, or has been charged since.
            if flow.count > 0, flow.time <= turn.time {
                return flow.levels.first { !$0.list.isEmpty }?.list.head
            }
            _ = models[model].turns.popMin()
            flows[turn.flow].isListed = false
            if flow.count > 0 { list(turn.flow) }
        }
        return nil
    }

    /// Of the next works for any peer and for peers of one model: one that came back, else the one that came first.
    private func earlier(_ any: Int?, _ own: Int?) -> Int? {
        guard let any, let own else { return any ?? own }
        let isReturned = (nodes[any].flow < 0, nodes[own].flow < 0)
        if isReturned.0 != isReturned.1 { return isReturned.0 ? any : own }
        return nodes[own].order < nodes[any].order ? own : any
    }

    private mutating func remove(_ index: Int, isServed: Bool) {
        let node = nodes[index]
        let model = node.work.model
        if node.flow < 0 {
            var list = models[model].returned
            unlink(index, from: &list)
            models[model].returned = list
        } else {
            if let level = flows[node.flow].levels.firstIndex(where: { $0.priority == node.work.share.priority }) {
                var list = flows[node.flow].levels[level].list
                unlink(index, from: &list)
                flows[node.flow].levels[level].list = list
                if list.isEmpty { flows[node.flow].levels.remove(at: level) }
            }
            flows[node.flow].count -= 1
            if isServed { serve(node, model: model) }
            if flows[node.flow].count == 0 { deactivate(node.flow) }
        }
        models[model].count -= 1
        count -= 1
        free.append(index)
    }

    private mutating func serve(_ node: Node, model: Int) {
        let flow = node.flow
        models[model].now = max(models[model].now, flows[flow].time)
        flows[flow].time += Double(max(1, node.work.share.cost)) / flows[flow].weight
        _ = models[model].turns.popMin()
        flows[flow].isListed = false
        if flows[flow].count > 0 { list(flow) }
    }

    private mutating func list(_ flow: Int) {
        guard !flows[flow].isListed else { return }
        flows[flow].isListed = true
        order += 1
        models[flows[flow].key.model].turns.insert(Turn(time: flows[flow].time, order: order, flow: flow))
    }

    private mutating func activate(_ flow: Int) {
        activeFlows += 1
        activeWeight += flows[flow].weight
        flows[flow].time = max(flows[flow].time, models[flows[flow].key.model].now)
        list(flow)
    }

    private mutating func deactivate(_ flow: Int) {
        activeFlows -= 1
        // Rounding leaves nothing behind.
        activeWeight = activeFlows == 0 ? 0 : activeWeight - flows[flow].weight
    }

    private mutating func flow(of work: Work) -> Int {
        let key = FlowKey(tenant: work.share.tenant, model: work.model)
        if let known = flowIndex[key] {
            if flows[known].weight != work.share.safeWeight { reweigh(known, work.share.safeWeight) }
            return known
        }
        if flowIndex.count - activeFlows >= Self.idleFlows { forgetIdle() }
        let flow = Flow(key: key, weight: work.share.safeWeight)
        let index: Int
        if let reused = freeFlows.popLast() {
            index = reused
            flows[index] = flow
        } else {
            index = flows.count
            flows.append(flow)
        }
        flowIndex[key] = index
        return index
    }

    private mutating func reweigh(_ flow: Int, _ weight: Double) {
        if flows[flow].count > 0 { activeWeight += weight - flows[flow].weight }
        flows[flow].weight = weight
    }

    private mutating func forgetIdle() {
        for index in flows.indices where flows[index].count == 0 && !flows[index].isListed {
            guard flowIndex[flows[index].key] == index else { continue }
            flowIndex[flows[index].key] = nil
            freeFlows.append(index)
        }
    }

    private mutating func level(of flow: Int, priority: Int32) -> Int {
        let levels = flows[flow].levels
        let index = levels.firstIndex { $0.priority >= priority } ?? levels.count
        if index == levels.count || levels[index].priority != priority {
            flows[flow].levels.insert(Level(priority: priority), at: index)
        }
        return index
    }

    // MARK: Lists

    private mutating func place(_ node: Node) -> Int {
        if let reused = free.popLast() {
            nodes[reused] = node
            return reused
        }
        nodes.append(node)
        return nodes.count - 1
    }

    private mutating func link(_ index: Int, atFrontOf list: inout List) {
        nodes[index].next = list.head
        if list.head >= 0 { nodes[list.head].previous = index } else { list.tail = index }
        list.head = index
    }

    private mutating func link(_ index: Int, atEndOf list: inout List) {
        nodes[index].previous = list.tail
        if list.tail >= 0 { nodes[list.tail].next = index } else { list.head = index }
        list.tail = index
    }

    private mutating func unlink(_ index: Int, from list: inout List) {
        let node = nodes[index]
        if node.previous >= 0 { nodes[node.previous].next = node.next } else { list.head = node.next }
        if node.next >= 0 { nodes[node.next].previous = node.previous } else { list.tail = node.previous }
    }
}
