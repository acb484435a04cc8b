import Seeds
import Testing

@testable import Tokenization

struct EncodeQueueTests {
    /// With several threads some prompts are always under way; a new one still begins where the others are.
    @Test func aNewPromptWaitsForNoneThoughOthersAreUnderWay() {
        var queue = EncodeQueue<Int>()
        for number in 0..<16 as Range<UInt64> {
            queue.insert(.init(number: number, share: EncodeShare(), cost: 1000, isHeavy: false, work: 0))
        }
        var underWay = (0..<4).compactMap { _ in queue.popFirst(heavy: true) }
        for _ in 0..<5000 {
            queue.insert(underWay.removeFirst())
            if let next = queue.popFirst(heavy: true) { underWay.append(next) }
        }
        queue.insert(.init(number: 99, share: EncodeShare(), cost: 1000, isHeavy: false, work: 0))
        var waited = 0
        while let entry = queue.popFirst(heavy: true), entry.number != 99 {
            waited += 1
            queue.insert(underWay.removeFirst())
            underWay.append(entry)
        }
        #expect(waited <= 16)
    }

    @Test func tenantsGetStepsInProportionToTheirWeights() {
        var generator = SeededGenerator(seed: 4)
        var queue = EncodeQueue<Int>()
        let weights = ["a": 1.0, "b": 2.0, "c": 5.0]
        var served: [String: Int] = [:]
        var number: UInt64 = 0
        for (tenant, weight) in weights.sorted(by: { $0.key < $1.key }) {
            for _ in 0..<8 {
                number += 1
                queue.insert(
                    .init(
                        number: number, share: EncodeShare(tenant: tenant, weight: weight),
                        cost: Int.random(in: 1...1000, using: &generator), isHeavy: false, work: 0))
            }
        }
        for _ in 0..<40_000 {
            guard var entry = queue.popFirst(heavy: true) else { break }
            served[entry.share.tenant, default: 0] += entry.cost
            entry.cost = Int.random(in: 1...1000, using: &generator)
            entry.isHeavy = Bool.random(using: &generator)
            queue.insert(entry)
        }
        let all = Double(served.values.reduce(0, +))
        for (tenant, weight) in weights {
            #expect(abs(Double(served[tenant] ?? 0) / all - weight / 8) < 0.01, "\(served)")
        }
    }

    /// A new prompt goes before those of its tenant that had their turn; they go on however many new ones come.
    @Test func withinATenantNewcomersGoFirstAndNoneStarves() {
        var queue = EncodeQueue<Int>()
        for number in 0..<16 {
            queue.insert(.init(number: UInt64(number), share: EncodeShare(), cost: 1000, isHeavy: false, work: 0))
        }
        for _ in 0..<100 { if let entry = queue.popFirst(heavy: true) { queue.insert(entry) } }
        queue.insert(.init(number: 99, share: EncodeShare(), cost: 500, isHeavy: false, work: 0))
        var before = 0
        while let entry = queue.popFirst(heavy: true), entry.number != 99 {
            before += 1
            queue.insert(entry)
        }
        #expect(before < 16)

        var ofOld = 0
        for number in 0..<3200 {
            queue.insert(
                .init(number: UInt64(1000 + number), share: EncodeShare(), cost: 1000, isHeavy: false, work: 0))
            if let entry = queue.popFirst(heavy: true), entry.number < 16 {
                ofOld += 1
                queue.insert(entry)
            }
        }
        #expect(ofOld > 20, "sixteen old ones went on by \(ofOld) steps")
    }

    @Test func heavyStepsAreLeftForWhoMayTakeThem() {
        var queue = EncodeQueue<Int>()
        queue.insert(.init(number: 1, share: EncodeShare(tenant: "a"), cost: 10, isHeavy: true, work: 0))
        queue.insert(.init(number: 2, share: EncodeShare(tenant: "b"), cost: 10, isHeavy: false, work: 0))
        let numbers = [false, false, true, true].map { queue.popFirst(heavy: $0)?.number }
        #expect(numbers == [2, nil, 1, nil])
        #expect(queue.count == 0)
    }

    @Test func priorityOrdersATenantsOwn() {
        var queue = EncodeQueue<Int>()
        for (number, priority) in [(1, 5), (2, -1), (3, 0), (4, -1)] as [(UInt64, Int32)] {
            queue.insert(
                .init(number: number, share: EncodeShare(priority: priority), cost: 10, isHeavy: false, work: 0))
        }
        let removed = (0..<2).map { _ in queue.remove(3)?.number }
        #expect(removed == [3, nil])
        let order = (0..<3).compactMap { _ in queue.popFirst(heavy: true)?.number }
        #expect(order == [2, 4, 1])
    }

    /// Against a list: whatever is put in comes out once, of what may come out, and nothing is left behind.
    @Test(arguments: 0..<8) func everythingComesOutOnce(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var queue = EncodeQueue<Int>()
        var inside: [UInt64: Bool] = [:]
        for number in 0..<5000 as Range<UInt64> {
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<5:
                let isHeavy = Bool.random(using: &generator)
                inside[number] = isHeavy
                queue.insert(
                    .init(
                        number: number, share: EncodeShare(tenant: "\(number % 37)", weight: Double(number % 5)),
                        cost: Int.random(in: 0...9, using: &generator), isHeavy: isHeavy, work: 0))
            case 5..<7:
                let victim = UInt64.random(in: 0...number, using: &generator)
                let removed = queue.remove(victim) != nil
                #expect(removed == (inside.removeValue(forKey: victim) != nil))
            default:
                let heavy = Bool.random(using: &generator)
                if let entry = queue.popFirst(heavy: heavy) {
                    #expect(inside.removeValue(forKey: entry.number) == entry.isHeavy)
                    #expect(heavy || !entry.isHeavy)
                } else {
                    #expect(!inside.values.contains { heavy || !$0 })
                }
            }
            #expect(queue.count == inside.count)
            #expect(queue.heavyCount == inside.values.count { $0 })
        }
    }
}
