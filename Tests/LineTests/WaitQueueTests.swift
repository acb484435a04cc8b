import Testing

@testable import Line

@Suite struct WaitQueueTests {
    @Test func `Works of a model and of any go out in one order`() {
        var queue = WaitQueue()
        for (work, model) in [(1, 1), (2, 0), (3, 2), (4, 1), (5, 0)] {
            _ = queue.insert(UInt64(work), model: model, affinity: nil, atFront: false, now: UInt64(work))
        }
        _ = queue.insert(6, model: 1, affinity: nil, atFront: true, now: 9)
        #expect(queue.oldest == 1)
        var order: [UInt64] = []
        while let index = queue.first(for: 1) {
            order.append(queue[index].work)
            queue.remove(index)
        }
        #expect(order == [6, 1, 2, 4, 5])
        #expect(queue.count == 1)
        #expect(queue.oldest == 3)
        #expect(queue.first(for: 0) == nil)
        #expect(queue.first(for: 9) == nil)
    }

    @Test func `It behaves as a plain list does`() {
        var random = SimulationRandom(seed: 11)
        var queue = WaitQueue()
        var list: [(work: UInt64, index: Int)] = []
        for work in UInt64(1)...4000 {
            switch random.upTo(5) {
            case 0, 1: list.append((work, queue.insert(work, model: 3, affinity: nil, atFront: false, now: work)))
            case 2: list.insert((work, queue.insert(work, model: 3, affinity: nil, atFront: true, now: work)), at: 0)
            case 3 where !list.isEmpty: queue.remove(list.remove(at: random.upTo(list.count)).index)
            default:
                #expect(queue.first(for: 3).map { queue[$0].work } == list.first?.work)
                if let first = queue.first(for: 3) {
                    queue.remove(first)
                    list.removeFirst()
                }
            }
            #expect(queue.count == list.count && queue.count(of: 3) == list.count)
        }
    }
}
