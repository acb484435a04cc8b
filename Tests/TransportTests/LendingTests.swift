import Testing

@testable import Transport

/// Frames that are lent to whoever decodes them, in the memory that they were received into.
@Suite(.timeLimit(.minutes(5))) struct LendingTests {
    let context: Context

    init() throws { context = try Context() }

    /// A router and a dealer that know each other.
    private func connect(_ router: inout RouterSocket, _ dealer: inout DealerSocket) throws {
        try dealer.connect(router.bind(SocketTests.tcp))
        try dealer.await(with: router.link) { $0 == .handshakeSucceeded }
    }

    @Test(arguments: SocketTests.Pair.all) func `frames of all sizes are lent, in order and no more than asked for`(
        pair: SocketTests.Pair
    ) throws {
        var router = try RouterSocket(context, options: pair.router)
        let id = PeerID.fresh()
        var dealer = try DealerSocket(context, routingID: id, options: pair.dealer)
        try connect(&router, &dealer)
        let sizes = (0..<100).map { $0 * $0 }
        for size in sizes {
            #expect(dealer.sendAll([UInt8](repeating: UInt8(truncatingIfNeeded: size), count: size)) == .sent)
        }
        var seen: [Int] = []
        let end = MonotonicClock.now() + UInt64(patience) * 1_000_000
        while seen.count < sizes.count, MonotonicClock.now() < end {
            let before = seen.count
            try router.receiveAll(upTo: 7) { frame in
                #expect(frame.peer == id)
                let size = frame.bytes.count
                #expect(frame.bytes.indices.allSatisfy { frame.bytes[$0] == UInt8(truncatingIfNeeded: size) })
                seen.append(size)
            }
            #expect(seen.count - before <= 7)
            dealer.link?.takePart()
            if seen.count == before { _ = try router.wait(milliseconds: 1) }
        }
        #expect(seen == sizes)
        #expect(router.counters.received == 100)
        // The other way, too.
        #expect(router.send([1, 2].span, to: id) == .sent)
        var answer: [UInt8] = []
        while answer.isEmpty, MonotonicClock.now() < end {
            try dealer.receiveAll(upTo: 1) { answer = $0.bytes.array }
        }
        #expect(answer == [1, 2])
    }

    @Test func `who decodes may answer, admit, close and even ask for more, and the frame stays`() throws {
        var options = SocketOptions()
        options.limits.hasStrangers = true
        var router = try RouterSocket(context, options: options)
        let id = PeerID.fresh()
        var dealer = try DealerSocket(context, routingID: id)
        try connect(&router, &dealer)
        for number in UInt8(1)...5 { #expect(dealer.sendAll([UInt8](repeating: number, count: 1000)) == .sent) }
        var seen: [UInt8] = []
        let end = MonotonicClock.now() + UInt64(patience) * 1_000_000
        func take(_ frame: ReceivedFrame) {
            do throws(TransportError) {
                var nested = 0
                try router.receiveAll(upTo: 100) { _ in nested += 1 }
                let isNothing = try router.receive() == nil
                #expect(nested == 0 && isNothing)
                // More comes meanwhile, and a look at the socket must not move what is lent.
                if dealer.isEstablished { _ = dealer.sendAll([UInt8](repeating: 9, count: 100_000)) }
                _ = try router.nextEvent()
                router.link?.takePart()
            } catch {
                Issue.record(error)
            }
            router.admit(frame.peer, source: frame.source)
            #expect(router.send(frame.bytes, to: frame.peer) == .sent)
            seen.append(frame.bytes[0])
            if seen.count == 3 { router.close() }
            #expect(frame.bytes.indices.allSatisfy { frame.bytes[$0] == seen.last })
            #expect(frame.userID == nil && frame.source == nil)
        }
        // All five are there at once, and three are taken before the socket is closed.
        while seen.isEmpty, MonotonicClock.now() < end { try router.receiveAll(upTo: 100, take) }
        #expect(seen == [1, 2, 3])
        #expect(throws: TransportError.self) { try router.receiveAll(upTo: 1) { _ in } }
    }

    @Test(arguments: SocketTests.Pair.all) func `who has enough gets no more, and loses nothing`(
        pair: SocketTests.Pair
    ) throws {
        var router = try RouterSocket(context, options: pair.router)
        var dealer = try DealerSocket(context, routingID: .fresh(), options: pair.dealer)
        try connect(&router, &dealer)
        for number in UInt8(1)...5 { #expect(dealer.sendAll([number]) == .sent) }
        var seen: [UInt8] = []
        let end = MonotonicClock.now() + UInt64(patience) * 1_000_000
        while seen.count < 5, MonotonicClock.now() < end {
            let before = seen.count
            try router.receive(upTo: 100) { frame -> Bool in
                seen.append(frame.bytes[0])
                return false
            }
            #expect(seen.count - before <= 1)
        }
        #expect(seen == [1, 2, 3, 4, 5])
    }

    @Test func `a flood of bad messages ends a receive but not the socket`() throws {
        var router = try RouterSocket(context)
        let stranger = try Stranger(router.bind(SocketTests.tcp))
        stranger.greet()
        // A thousand messages of two parts each, then one of one.
        stranger.send((0..<1000).flatMap { _ in [1, 1, 1, 0, 1, 2] as [UInt8] } + [0, 1, 3])
        var seen: [UInt8] = []
        var rounds = 0
        let end = MonotonicClock.now() + UInt64(patience) * 1_000_000
        while seen.isEmpty, MonotonicClock.now() < end {
            try router.receiveAll(upTo: 256) { seen.append($0.bytes[0]) }
            rounds += 1
        }
        #expect(seen == [3])
        #expect(rounds > 2000 / 64)
        #expect(router.counters.malformed == 1000)
    }
}
