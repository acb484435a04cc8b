import Testing

@testable import Transport

private let second: UInt64 = 1_000_000_000

@Suite struct DialPlanTests {
    private var plan = DialPlan<String>(Backoff(first: second, maximum: 8 * second))

    @Test mutating func `all addresses of a name are tried in turn, then comes a pause`() {
        #expect(plan.next(0) == .lookUp)
        plan.found(["a", "b", "c"], now: 0, chance: 0)
        for address in ["a", "b", "c"] {
            #expect(plan.next(5) == .dial(address))
            plan.failed(.lost, now: 5, chance: .max)
        }
        guard case .wait(let until) = plan.next(5) else {
            Issue.record("no pause")
            return
        }
        #expect((5 + second / 2...5 + second).contains(until))
        // The name may have other addresses by then.
        #expect(plan.next(until) == .lookUp)
        plan.found(["d"], now: until, chance: 0)
        #expect(plan.next(until) == .dial("d"))
    }

    @Test mutating func `an address that refused is left alone for a minute, the others are not`() {
        _ = plan.next(0)
        plan.found(["a", "b"], now: 0, chance: 0)
        #expect(plan.next(0) == .dial("a"))
        plan.failed(.refused, now: 0, chance: 0)
        #expect(plan.next(0) == .dial("b"))
        plan.failed(.lost, now: 0, chance: 0)
        var now: UInt64 = 0
        var dialled: [String] = []
        while now < 59 * second {
            switch plan.next(now) {
            case .wait(let until): now = until
            case .lookUp: plan.found(["a", "b"], now: now, chance: 7)
            case .dial(let address):
                dialled.append(address)
                plan.failed(.lost, now: now, chance: 7)
            }
        }
        #expect(Set(dialled) == ["b"])
        plan.found(["a", "b"], now: 61 * second, chance: 0)
        #expect(plan.next(70 * second) == .dial("a"))
    }

    @Test mutating func `when all have refused nothing is dialled before the minute is over`() {
        _ = plan.next(0)
        plan.found(["a"], now: 0, chance: 0)
        _ = plan.next(0)
        plan.failed(.refused, now: 0, chance: 12345)
        var now: UInt64 = 0
        var lookUps = 0
        while true {
            switch plan.next(now) {
            case .wait(let until):
                now = until
                continue
            case .lookUp:
                lookUps += 1
                plan.found(["a"], now: now, chance: 0)
                continue
            case .dial(let address): #expect(address == "a")
            }
            break
        }
        #expect((60 * second...69 * second).contains(now))
        #expect(lookUps <= 3)
    }

    @Test mutating func `a name without addresses is looked up again, later and later`() {
        var now: UInt64 = 0
        var pauses: [UInt64] = []
        for _ in 0..<8 {
            #expect(plan.next(now) == .lookUp)
            plan.found([], now: now, chance: .max)
            guard case .wait(let until) = plan.next(now) else { return }
            pauses.append(until - now)
            now = until
        }
        #expect(pauses.last == pauses.max())
        #expect(pauses.allSatisfy { (second / 2...8 * second).contains($0) })
    }

    @Test func `waits double up to the maximum, shortened by chance to no less than half`() {
        var backoff = Backoff(first: 100, maximum: 1000)
        for most in [100, 200, 400, 800, 1000, 1000] as [UInt64] {
            var other = backoff
            #expect(other.failed(chance: most / 2) == most)
            #expect(backoff.failed(chance: 0) == most / 2)
        }
        backoff.succeeded()
        #expect(backoff.failed(chance: 0) == 50)
        // Many who lost the same peer at once come back spread out.
        var seen: Set<UInt64> = []
        for chance in 0..<40 as Range<UInt64> {
            var one = Backoff(first: 100, maximum: 1000)
            seen.insert(one.failed(chance: chance))
        }
        #expect(seen.count == 40)
        var extreme = Backoff(first: .max, maximum: 0)
        #expect(extreme.failed(chance: .max) <= .max)
        #expect(extreme.failed(chance: .max) > 0)
    }
}
