import HeapModule

/// Whose a prompt is, and its place among the others of its tenant.
public struct EncodeShare: Equatable, Sendable {
    public var tenant: String
    /// The tenant's share of the threads, against the weights of the others that have prompts here.
    public var weight: Double
    /// Among the tenant's own the lower ones go first.
    public var priority: Int32

    public init(tenant: String = "", weight: Double = 1, priority: Int32 = 0) {
        self.tenant = tenant
        self.weight = weight
        self.priority = priority
    }

    var safeWeight: Double { weight.isFinite && weight > 0.000_001 ? min(weight, 1_000_000) : 0.000_001 }
}

/// Steps of prompts that wait for a thread, fair by weight between tenants.
///
/// Between tenants it is start-time fair queueing, as where requests wait for workers (docs/decisions/0017): a tenant's
/// virtual time grows by cost ÷ weight with each step, and the tenant whose time is lowest goes next. Between the
/// prompts of one tenant the same is done with equal weights, but the clock on which a new one begins goes on by
/// cost ÷ (number of prompts): so a new prompt goes before those that had their turn, and however many come, none waits
/// for ever. Steps of two kinds wait apart, since not every thread may take those that are heavy.
struct EncodeQueue<Work: Sendable>: Sendable {
    /// A step that waits.
    struct Entry: Sendable {
        var number: UInt64
        var share: EncodeShare
        /// What the step takes, in bytes of text.
        var cost: Int
        var isHeavy: Bool
        var work: Work
        /// Where the prompt stands on its tenant's clock; nil for a new one.
        var time: Double?
    }

    private struct Place: Comparable, Sendable {
        var priority: Int32
        var time: Double
        var order: UInt64
        var number: UInt64

        static func < (left: Place, right: Place) -> Bool {
            if left.priority != right.priority { return left.priority < right.priority }
            return left.time != right.time ? left.time < right.time : left.order < right.order
        }
    }

    private struct Line: Sendable {
        /// Those that were taken out may still stand here.
        var places = Heap<Place>()
        var count = 0
        /// Whether the tenant stands in the kind's turns.
        var isListed = false
    }

    private struct Flow: Sendable {
        var tenant: String
        var weight: Double
        var time: Double = 0
        /// Where new prompts begin.
        var clock: Double = 0
        var light = Line()
        var heavy = Line()
        /// Prompts of which a step is under way.
        var running = 0
        var count: Int { light.count + heavy.count }
    }

    private struct Turn: Comparable, Sendable {
        var time: Double
        var order: UInt64
        var flow: Int

        static func < (left: Turn, right: Turn) -> Bool {
            left.time != right.time ? left.time < right.time : left.order < right.order
        }
    }

    /// Tenants without work that are remembered, so that leaving and coming again gains nothing.
    private static var idleFlows: Int { 4096 }

    /// Bytes by which a new prompt is ahead of its tenant's others: a step of theirs. Whoever is in this round's second
    /// half would go before it otherwise. Since the clock goes on with whatever is done, none of the others starves.
    private static var headStart: Double { 16_384 }

    private var entries: [UInt64: Entry] = [:]
    private var flows: [Flow] = []
    private var freeFlows: [Int] = []
    private var flowIndex: [String: Int] = [:]
    private var active = 0
    private var lightTurns = Heap<Turn>()
    private var heavyTurns = Heap<Turn>()
    private var now: Double = 0
    private var order: UInt64 = 0
    private(set) var heavyCount = 0

    var count: Int { entries.count }
    var lightCount: Int { count - heavyCount }

    mutating func insert(_ entry: Entry) {
        var entry = entry
        let flow = flow(of: entry.share)
        // Its step is done.
        if entry.time != nil { flows[flow].running = max(0, flows[flow].running - 1) }
        if flows[flow].count == 0 {
            active += 1
            flows[flow].time = max(flows[flow].time, now)
            flows[flow].clock = max(flows[flow].clock, entry.time ?? 0)
        }
        let time = entry.time ?? flows[flow].clock - Self.headStart
        entry.time = time
        order += 1
        let place = Place(priority: entry.share.priority, time: time, order: order, number: entry.number)
        if entry.isHeavy {
            flows[flow].heavy.places.insert(place)
            flows[flow].heavy.count += 1
            heavyCount += 1
        } else {
            flows[flow].light.places.insert(place)
            flows[flow].light.count += 1
        }
        entries[entry.number] = entry
        list(flow)
    }

    /// Takes one out that is not to be done.
    mutating func remove(_ number: UInt64) -> Entry? {
        guard let entry = entries.removeValue(forKey: number), let flow = flowIndex[entry.share.tenant] else {
            return nil
        }
        uncount(entry, flow)
        return entry
    }

    /// The next step, charged to its tenant; nil when there is none.
    /// - Parameter heavy: whether it may be a heavy one.
    mutating func popFirst(heavy: Bool) -> Entry? {
        let light = first(isHeavy: false)
        let other = heavy ? first(isHeavy: true) : nil
        guard let chosen = earlier(light, other) else { return nil }
        let (flow, place) = chosen
        guard var entry = entries.removeValue(forKey: place.number) else { return nil }
        let cost = Double(max(1, entry.cost))
        now = max(now, flows[flow].time)
        flows[flow].time += cost / flows[flow].weight
        // Those under way have their part of the clock as those that wait: without them it would run ahead of them all,
        // and a new prompt would wait until they have caught up.
        flows[flow].clock += cost / Double(max(1, flows[flow].count + flows[flow].running))
        flows[flow].running += 1
        entry.time = place.time + cost
        uncount(entry, flow)
        return entry
    }

    /// A prompt that was taken out by `popFirst` has had its last step. One that has more comes back by `insert`.
    mutating func end(_ entry: Entry) {
        guard let flow = flowIndex[entry.share.tenant] else { return }
        flows[flow].running = max(0, flows[flow].running - 1)
    }

    // MARK: Turns

    private mutating func first(isHeavy: Bool) -> (flow: Int, place: Place)? {
        let turns = isHeavy ? \Self.heavyTurns : \Self.lightTurns
        let line = isHeavy ? \Flow.heavy : \Flow.light
        while let turn = self[keyPath: turns].min {
            // A turn is stale when its tenant has nothing left, or has been charged since.
            if flows[turn.flow][keyPath: line].count > 0, flows[turn.flow].time <= turn.time {
                while let place = flows[turn.flow][keyPath: line].places.min {
                    if let entry = entries[place.number], entry.time == place.time, entry.isHeavy == isHeavy {
                        return (turn.flow, place)
                    }
                    flows[turn.flow][keyPath: line].places.removeMin()
                }
            }
            self[keyPath: turns].removeMin()
            flows[turn.flow][keyPath: line].isListed = false
            list(turn.flow)
        }
        return nil
    }

    private func earlier(
        _ light: (flow: Int, place: Place)?, _ heavy: (flow: Int, place: Place)?
    ) -> (flow: Int, place: Place)? {
        guard let light, let heavy else { return light ?? heavy }
        if light.flow == heavy.flow { return light.place < heavy.place ? light : heavy }
        return flows[heavy.flow].time < flows[light.flow].time ? heavy : light
    }

    private mutating func list(_ flow: Int) {
        if flows[flow].light.count > 0, !flows[flow].light.isListed {
            flows[flow].light.isListed = true
            order += 1
            lightTurns.insert(Turn(time: flows[flow].time, order: order, flow: flow))
        }
        if flows[flow].heavy.count > 0, !flows[flow].heavy.isListed {
            flows[flow].heavy.isListed = true
            order += 1
            heavyTurns.insert(Turn(time: flows[flow].time, order: order, flow: flow))
        }
    }

    private mutating func uncount(_ entry: Entry, _ flow: Int) {
        if entry.isHeavy {
            flows[flow].heavy.count -= 1
            heavyCount -= 1
            if flows[flow].heavy.count == 0 { flows[flow].heavy.places = Heap() }
        } else {
            flows[flow].light.count -= 1
            if flows[flow].light.count == 0 { flows[flow].light.places = Heap() }
        }
        if flows[flow].count == 0 { active -= 1 }
    }

    private mutating func flow(of share: EncodeShare) -> Int {
        if let known = flowIndex[share.tenant] {
            flows[known].weight = share.safeWeight
            return known
        }
        if flowIndex.count - active >= Self.idleFlows { forgetIdle() }
        let flow = Flow(tenant: share.tenant, weight: share.safeWeight)
        let index = freeFlows.popLast() ?? flows.count
        if index == flows.count { flows.append(flow) } else { flows[index] = flow }
        flowIndex[share.tenant] = index
        return index
    }

    private mutating func forgetIdle() {
        for index in flows.indices {
            let flow = flows[index]
            guard flow.count == 0, flow.running == 0, !flow.light.isListed, !flow.heavy.isListed,
                flowIndex[flow.tenant] == index
            else {
                continue
            }
            flowIndex[flow.tenant] = nil
            freeFlows.append(index)
        }
    }
}
