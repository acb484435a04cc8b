import Testing

@testable import Line

@Suite struct WaitQueueTests {
    private static func work(
        _ work: Int, model: Int = 0, tenant: String = "", weight: Double = 1, cost: Int = 1, priority: Int32 = 0
    ) -> WaitQueue.Work {
        WaitQueue.Work(
            work: UInt64(work), model: model, affinity: nil,
            share: TenantShare(tenant: tenant, weight: weight, cost: cost, priority: priority))
    }

    private static func all(_ queue: inout WaitQueue, model: Int = 0) -> [UInt64] {
        var order: [UInt64] = []
        while let node = queue.popFirst(for: model) { order.append(node.work.work) }
        return order
    }

    @Test func `Works of a model and of any go out in one order, those that came back first`() {
        var queue = WaitQueue()
        for (work, model) in [(1, 1), (2, 0), (3, 2), (4, 1), (5, 0)] {
            _ = queue.insert(Self.work(work, model: model), now: UInt64(work))
        }
        _ = queue.insert(Self.work(6, model: 1), isReturned: true, now: 9)
        #expect(queue.oldest == 1)
        #expect(Self.all(&queue, model: 1) == [6, 1, 2, 4, 5])
        #expect(queue.count == 1)
        #expect(queue.oldest == 3)
        let none = (queue.popFirst(for: 0), queue.popFirst(for: 9))
        #expect(none.0 == nil && none.1 == nil)
    }

    @Test func `One tenant alone is served as a plain list is`() {
        var random = SimulationRandom(seed: 11)
        var queue = WaitQueue()
        var returned: [(work: Int, index: Int)] = []
        var list: [(work: Int, index: Int)] = []
        for work in 1...4000 {
            switch random.upTo(5) {
            case 0, 1:
                list.append((work, queue.insert(Self.work(work, model: 3, cost: random.upTo(90)), now: UInt64(work))))
            case 2:
                returned.insert(
                    (work, queue.insert(Self.work(work, model: 3), isReturned: true, now: UInt64(work))), at: 0)
            case 3 where !list.isEmpty: queue.remove(list.remove(at: random.upTo(list.count)).index)
            case 3 where !returned.isEmpty: queue.remove(returned.remove(at: random.upTo(returned.count)).index)
            default:
                let expected = returned.isEmpty ? list.first?.work : returned.removeFirst().work
                if expected != nil, expected == list.first?.work { list.removeFirst() }
                let first = queue.popFirst(for: 3)
                #expect((first?.work.work).map { Int($0) } == expected)
            }
            #expect(queue.count == list.count + returned.count)
            #expect(queue.count(of: 3) == queue.count)
        }
    }

    @Test func `Tenants that wait get tokens by their weights, whatever their works cost`() {
        var random = SimulationRandom(seed: 5)
        var queue = WaitQueue()
        let weights = ["a": 1.0, "b": 2.0, "c": 4.0]
        var costs: [UInt64: (tenant: String, cost: Int)] = [:]
        var next = 0
        func add(_ tenant: String, to queue: inout WaitQueue) {
            next += 1
            let cost = 1 + random.upTo(tenant == "a" ? 2000 : 50)
            costs[UInt64(next)] = (tenant, cost)
            _ = queue.insert(
                Self.work(next, tenant: tenant, weight: weights[tenant] ?? 0, cost: cost), now: 0)
        }
        for tenant in weights.keys.sorted() { for _ in 0..<50 { add(tenant, to: &queue) } }
        var served: [String: Int] = [:]
        while served.values.reduce(0, +) < 700_000 {
            guard let node = queue.popFirst(for: 0), let (tenant, cost) = costs[node.work.work] else {
                Issue.record("nothing waits")
                return
            }
            served[tenant, default: 0] += cost
            add(tenant, to: &queue)
        }
        for (tenant, weight) in weights {
            let share = Double(served[tenant] ?? 0) / 700_000
            #expect(abs(share - weight / 7) < 0.01, "\(tenant) got \(share)")
        }
    }

    @Test func `Who comes anew waits for nobody's backlog, and has nothing saved up`() {
        var queue = WaitQueue()
        for work in 1...4000 { _ = queue.insert(Self.work(work, tenant: "a", cost: 100), now: 0) }
        for _ in 0..<1000 { _ = queue.popFirst(for: 0) }
        for work in 5001...5030 { _ = queue.insert(Self.work(work, tenant: "b", cost: 100), now: 0) }
        let next = (0..<60).compactMap { _ in queue.popFirst(for: 0)?.work.work }
        #expect(next.filter { $0 > 5000 }.count == 30, "they take turns")
        #expect(next.prefix(4).contains { $0 > 5000 })
        // It leaves, comes again, and is served no sooner for that.
        _ = queue.insert(Self.work(6000, tenant: "b", cost: 100), now: 0)
        let then = (0..<3).compactMap { _ in queue.popFirst(for: 0)?.work.work }
        #expect(then.contains(6000))
    }

    @Test func `A work that cost more than was said makes its tenant wait`() {
        var queue = WaitQueue()
        for work in 1...10 {
            _ = queue.insert(Self.work(work, tenant: "a", cost: 1), now: 0)
            _ = queue.insert(Self.work(100 + work, tenant: "b", cost: 1), now: 0)
        }
        let first = queue.popFirst(for: 0)
        #expect(first?.work.work == 1)
        queue.charge(5, to: TenantShare(tenant: "a"), model: 0)
        let next = (0..<8).compactMap { _ in queue.popFirst(for: 0)?.work.work }
        #expect(next.prefix(6).allSatisfy { $0 > 100 })
        #expect(next.contains(2))
    }

    @Test func `Within a tenant the lower priority goes first`() {
        var queue = WaitQueue()
        for (work, priority) in [(1, 0), (2, 5), (3, -1), (4, 0), (5, -1)] {
            _ = queue.insert(Self.work(work, tenant: "a", priority: Int32(priority)), now: UInt64(work))
        }
        _ = queue.insert(Self.work(9, tenant: "b", priority: 100), now: 6)
        #expect(queue.oldest == 1)
        let order = Self.all(&queue)
        #expect(order.filter { $0 != 9 } == [3, 5, 1, 4, 2])
        // Another's priorities say nothing against it.
        #expect(order.prefix(2).contains(9))
    }

    @Test func `Nobody is refused below their share`() {
        var queue = WaitQueue()
        for work in 1...100 { _ = queue.insert(Self.work(work, tenant: "a"), now: 0) }
        #expect(queue.places(for: TenantShare(tenant: "a"), model: 0, of: 100) == 100)
        #expect(queue.places(for: TenantShare(tenant: "b"), model: 0, of: 100) == 50)
        #expect(queue.places(for: TenantShare(tenant: "b", weight: 3), model: 0, of: 100) == 75)
        _ = Self.all(&queue)
        #expect(queue.places(for: TenantShare(tenant: "b"), model: 0, of: 100) == 100)
    }

    @Test func `Many tenants that come and go are not kept for ever`() {
        var queue = WaitQueue()
        for tenant in 0..<20_000 {
            _ = queue.insert(Self.work(tenant, tenant: "tenant-\(tenant)"), now: 0)
            let first = queue.popFirst(for: 0)
            #expect(first?.work.work == UInt64(tenant))
        }
        #expect(queue.count == 0 && queue.oldest == nil)
    }
}
