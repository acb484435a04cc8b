import Line
import Testing

@Suite struct ClockOffsetTests {
    @Test func `Without a sample it knows nothing`() {
        let clock = ClockOffset()
        #expect(clock.offset == nil)
        #expect(clock.uncertainty == nil)
        #expect(clock.own(17) == 17)
    }

    @Test func `Equal ways give the exact offset`() {
        var clock = ClockOffset()
        // The peer's clock is 1,000,000 ahead; 50 each way, 10 in between.
        #expect(clock.add(sent: 100, receivedByPeer: 1_000_150, answeredByPeer: 1_000_160, received: 210) == true)
        #expect(clock.offset == 1_000_000)
        #expect(clock.uncertainty == 50)
        #expect(clock.own(1_000_150) == 150)
    }

    @Test func `A peer whose clock is behind has a negative offset`() {
        var clock = ClockOffset()
        #expect(clock.add(sent: 5_000_100, receivedByPeer: 150, answeredByPeer: 150, received: 5_000_200) == true)
        #expect(clock.offset == -5_000_000)
        #expect(clock.own(150) == 5_000_150)
    }

    @Test func `The sample that was least on the way holds until it leaves the window`() {
        var clock = ClockOffset()
        clock.add(sent: 0, receivedByPeer: 1010, answeredByPeer: 1010, received: 20)
        for _ in 1..<ClockOffset.window {
            clock.add(sent: 0, receivedByPeer: 1900, answeredByPeer: 1900, received: 1000)
            #expect(clock.offset == 1000)
        }
        clock.add(sent: 0, receivedByPeer: 1900, answeredByPeer: 1900, received: 1000)
        #expect(clock.offset == 1400)
        #expect(clock.uncertainty == 500)
    }

    @Test func `The truth lies within the uncertainty for any split of the way`() {
        var random = SimulationRandom(seed: 3)
        for _ in 0..<2000 {
            let truth = Int64(bitPattern: random.next()) >> 16
            let sent = random.next() >> 8
            let out = random.between(0, 1_000_000)
            let stay = random.between(0, 1_000_000)
            let back = random.between(0, 1_000_000)
            let arrived = sent &+ out &+ UInt64(bitPattern: truth)
            var clock = ClockOffset()
            guard
                clock.add(
                    sent: sent, receivedByPeer: arrived, answeredByPeer: arrived &+ stay,
                    received: sent + out + stay + back)
            else { continue }
            #expect((truth - (clock.offset ?? .max)).magnitude <= (clock.uncertainty ?? 0) + 1)
        }
    }

    @Test(arguments: [(10, 0, 0, 5), (10, 5, 4, 20), (10, 0, 100, 20)] as [(UInt64, UInt64, UInt64, UInt64)])
    func `Stamps that contradict one another are left out`(stamps: (UInt64, UInt64, UInt64, UInt64)) {
        var clock = ClockOffset()
        let isTaken = clock.add(
            sent: stamps.0, receivedByPeer: stamps.1, answeredByPeer: stamps.2, received: stamps.3)
        #expect(!isTaken)
        #expect(clock.offset == nil)
    }

    @Test func `Stamps at the ends of the range do not trap`() {
        var clock = ClockOffset()
        clock.add(sent: 0, receivedByPeer: .max, answeredByPeer: .max, received: .max)
        clock.add(sent: .max, receivedByPeer: 0, answeredByPeer: 0, received: .max)
        clock.add(sent: 0, receivedByPeer: 1 << 63, answeredByPeer: 1 << 63, received: 0)
        _ = clock.own(0)
    }
}
