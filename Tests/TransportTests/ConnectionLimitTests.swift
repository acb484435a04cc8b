import Glibc
import Testing

@testable import Transport
import ZMTP

/// What peers that have shown nothing of themselves may cost a listening socket of our own.
@Suite(.timeLimit(.minutes(5))) struct ConnectionLimitTests {
    let context: Context

    init() throws { context = try Context() }

    private func router(_ change: (inout SocketOptions) -> Void) throws -> RouterSocket {
        var options = SocketOptions()
        options.limits.hasStrangers = true
        change(&options)
        return try RouterSocket(context, options: options)
    }

    private func await(_ router: borrowing RouterSocket, _ isThere: () -> Bool) throws {
        let end = MonotonicClock.now() + UInt64(patience) * 1_000_000
        while !isThere() {
            guard MonotonicClock.now() < end else { throw TimedOut() }
            router.link?.takePart()
        }
    }

    /// Takes part until the router has said to all of them that it is there.
    private func connect(_ count: Int, _ router: borrowing RouterSocket, _ bound: Endpoint) throws -> [Stranger] {
        try (0..<count).map { _ in
            let stranger = try Stranger(bound)
            stranger.greet()
            let link = router.link as? StreamSocket
            let before = link?.accepted ?? 0
            try self.await(router) { (link?.accepted ?? 0) > before && link?.census.handshakes == 0 }
            return stranger
        }
    }

    @Test func `REQ is told why it is hung up on`() throws {
        var router = try router { _ in }
        let stranger = try Stranger(router.bind(SocketTests.tcp))
        stranger.send(Handshake.greeting + Command.ready(socketType: "REQ", identity: []).frame)
        let heard = try stranger.hearUntilClosed(router.link)
        #expect(heard == Handshake.greeting + Command.error(reason: "Invalid socket type REQ").frame)
        #expect(router.counters.refusals.malformed == 1)
    }

    @Test(arguments: ["ERROR", "CURVE", "HTTP"]) func `who refuses a dealer is left alone for a minute`(
        answer: String
    ) throws {
        // A listener of ours that answers as it is told.
        let listener = try StreamAddress(binding: SocketTests.tcp)
        let descriptor = listener.open()
        defer { close(descriptor) }
        try #require(listener.bind(descriptor) && listen(descriptor, 8) == 0)
        var dealer = try DealerSocket(context, routingID: .fresh())
        try dealer.connect(StreamAddress.bound(descriptor, as: SocketTests.tcp))
        var connection: Int32 = -1
        let end = MonotonicClock.now() + UInt64(patience) * 1_000_000
        while connection < 0, MonotonicClock.now() < end { connection = accept(descriptor, nil, nil) }
        defer { close(connection) }
        var bytes = Handshake.greeting
        switch answer {
        case "ERROR": bytes += Command.error(reason: "not today").frame
        case "CURVE": bytes.replaceSubrange(12..<17, with: Array("CURVE".utf8))
        default: bytes = Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)
        }
        #expect(unsafe write(connection, bytes, bytes.count) == bytes.count)
        let before = MonotonicClock.now()
        try dealer.await { if case .handshakeFailed = $0 { true } else { false } }
        // The name is looked up once more, and then it waits.
        let link = try #require(dealer.link as? StreamSocket)
        while let at = link.dial?.plan.at, at < before + 60_000_000_000, MonotonicClock.now() < end {
            _ = try dealer.wait(milliseconds: 20)
            _ = try dealer.nextEvent()
        }
        #expect(link.dial?.plan.at ?? 0 >= before + 60_000_000_000)
        #expect(accept(descriptor, nil, nil) == -1)
    }

    @Test func `dead hosts are found by the kernel`() throws {
        var router = try router { _ in }
        let bound = try router.bind(SocketTests.tcp)
        var dealer = try DealerSocket(context, routingID: .fresh())
        try dealer.connect(bound)
        try dealer.await(with: router.link) { $0 == .handshakeSucceeded }
        for link in [router.link, dealer.link] {
            let connection = try #require((link as? StreamSocket)?.connections.compactMap { $0 }.first)
            var value: Int32 = 0
            var length: socklen_t = 4
            #expect(unsafe getsockopt(connection.descriptor, SOL_SOCKET, SO_KEEPALIVE, &value, &length) == 0)
            #expect(value == 1)
            #expect(
                unsafe getsockopt(connection.descriptor, Int32(IPPROTO_TCP), TCP_KEEPIDLE, &value, &length) == 0)
            #expect(value == KeepAlive.idleSeconds)
        }
    }

    @Test func `the stranger that came first gives way to the next`() throws {
        var router = try router { $0.limits.strangers = 4 }
        let bound = try router.bind(SocketTests.tcp)
        let strangers = try connect(4, router, bound)
        let id = PeerID.fresh()
        var dealer = try DealerSocket(context, routingID: id)
        try dealer.connect(bound)
        try dealer.await(with: router.link) { $0 == .handshakeSucceeded }
        #expect(try strangers[0].hearUntilClosed(router.link).isEmpty == false)
        #expect(!strangers[1].isClosed(by: router.link))
        router.admit(id, source: nil)
        // Whoever is known stays, however many come.
        _ = try connect(20, router, bound)
        #expect(dealer.sendAll([1]) == .sent)
        #expect(try router.awaitFrame().bytes == [1])
        #expect(router.counters.refusals.crowded == 1 + 20 - 1)
    }

    @Test func `connections in all and from one address are bounded`() throws {
        for isByAddress in [true, false] {
            var router = try router {
                $0.limits.hasStrangers = false
                if isByAddress { $0.limits.connectionsPerAddress = 3 } else { $0.limits.connections = 3 }
            }
            let bound = try router.bind(SocketTests.tcp)
            let first = try connect(3, router, bound)
            // All of them are known, so that the newcomer has no place.
            let late = try Stranger(bound)
            #expect(try late.hearUntilClosed(router.link).isEmpty)
            #expect(router.counters.refusals.crowded == 1)
            #expect(!first[0].isClosed(by: router.link))
        }
    }

    @Test func `handshakes under way are bounded, and the oldest ends`() throws {
        var router = try router {
            $0.limits.handshakes = 2
            $0.limits.handshakeMilliseconds = 60_000
        }
        let bound = try router.bind(SocketTests.tcp)
        let silent = try (0..<2).map { _ in try Stranger(bound) }
        let link = router.link as? StreamSocket
        try self.await(router) { link?.census.handshakes == 2 }
        _ = try connect(0, router, bound)
        let honest = try Stranger(bound)
        honest.greet()
        try self.await(router) { router.counters.refusals.crowded == 1 }
        #expect(try silent[0].hearUntilClosed(router.link) == Handshake.greeting)
        try self.await(router) { link?.census.handshakes == 1 }
        #expect(!honest.isClosed(by: router.link))
    }

    @Test func `a stranger's frames are short until it is known`() throws {
        var router = try router { $0.limits.strangerFrameBytes = 1000 }
        let bound = try router.bind(SocketTests.tcp)
        let strangers = try connect(1, router, bound)
        strangers[0].send([2, 0, 0, 0, 0, 0, 0, 0x10, 0])
        _ = try strangers[0].hearUntilClosed(router.link) { _ = try router.receive() == nil }
        #expect(router.counters.refusals.malformed == 1)

        let id = PeerID.fresh()
        var dealer = try DealerSocket(context, routingID: id)
        try dealer.connect(bound)
        try dealer.await(with: router.link) { $0 == .handshakeSucceeded }
        #expect(dealer.sendAll([UInt8](repeating: 7, count: 1000)) == .sent)
        #expect(try router.awaitFrame().bytes.count == 1000)
        router.admit(id, source: nil)
        #expect(dealer.sendAll([UInt8](repeating: 7, count: 200_000)) == .sent)
        #expect(try router.awaitFrame(with: dealer.link).bytes.count == 200_000)
    }

    @Test func `a frame that does not end is ended`() throws {
        var router = try router {
            $0.limits.begunMilliseconds = 50
            $0.heartbeatInterval = 0
        }
        let bound = try router.bind(SocketTests.tcp)
        let stranger = try connect(1, router, bound)[0]
        stranger.send([0, 5, 1, 2])
        _ = try stranger.hearUntilClosed(router.link) { _ = try router.receive() == nil }
        #expect(router.counters.refusals.unfinished == 1)
        #expect((router.link as? StreamSocket)?.census.begunBytes == 0)
    }

    @Test func `bytes of frames that have begun are bounded over all connections`() throws {
        var router = try router { $0.limits.begunBytes = 2500 }
        let bound = try router.bind(SocketTests.tcp)
        let strangers = try connect(3, router, bound)
        let link = router.link as? StreamSocket
        let piece = [2, 0, 0, 0, 0, 0, 0, 4, 0] + [UInt8](repeating: 1, count: 991)
        for (index, stranger) in strangers.enumerated() {
            stranger.send(piece)
            let end = MonotonicClock.now() + UInt64(patience) * 1_000_000
            while MonotonicClock.now() < end {
                router.link?.takePart()
                _ = try router.receive() == nil
                if index < 2 ? link?.census.begunBytes == 1000 * (index + 1) : link?.census.connections == 2 { break }
            }
        }
        #expect(router.counters.refusals.unfinished == 1)
        #expect(try strangers[2].hearUntilClosed(router.link).isEmpty == false)
        // The others end their frames.
        strangers[0].send([UInt8](repeating: 1, count: 1024 - 991))
        #expect(try router.awaitFrame().bytes.count == 1024)
        let isNothing = try router.receive() == nil
        #expect(isNothing)
        #expect(link?.census.begunBytes == 1000)
    }

    @Test func `who does not read is hung up on beyond a bound`() throws {
        var router = try router { $0.limits.strangerUnsentBytes = 5000 }
        let bound = try router.bind(temporaryIPC())
        let id = PeerID.fresh()
        var dealer = try DealerSocket(context, routingID: id)
        try dealer.connect(bound)
        try dealer.await(with: router.link) { $0 == .handshakeSucceeded }
        var outcome = SendOutcome.sent
        var sent = 0
        while outcome == .sent, sent < 100_000 {
            outcome = router.send([UInt8](repeating: 1, count: 1000).span, to: id)
            sent += 1
        }
        #expect(outcome == .unreachable)
        #expect(router.counters.refusals.unread == 1)
        #expect((router.link as? StreamSocket)?.census.unsentBytes == 0)
        #expect((router.link as? StreamSocket)?.census.connections == 0)
    }

    @Test func `a stranger that asks and never reads costs its bound`() throws {
        var router = try router { $0.limits.strangerUnsentBytes = 16 << 10 }
        let bound = try router.bind(temporaryIPC())
        let stranger = try connect(1, router, bound)[0]
        let pings = (0..<2000).flatMap { _ in Command.ping(timeToLive: 0, context: Array(repeating: 1, count: 16)).frame
        }
        let end = MonotonicClock.now() + UInt64(patience) * 1_000_000
        while router.counters.refusals.unread == 0, MonotonicClock.now() < end {
            stranger.push(pings)
            router.link?.takePart()
            for _ in 0..<100 { _ = try router.receive() == nil }
        }
        #expect(router.counters.refusals.unread == 1)
    }

    @Test func `networks of IPv6 count as one address, and IPv4 in either form`() throws {
        #expect(PeerAddress("10.1.2.3") == PeerAddress("::ffff:10.1.2.3"))
        #expect(PeerAddress("10.1.2.3") != PeerAddress("10.1.2.4"))
        #expect(PeerAddress("2001:db8::1") == PeerAddress("2001:db8:0:0:ffff::9"))
        #expect(PeerAddress("2001:db8::1") != PeerAddress("2001:db8:0:1::1"))
        #expect(PeerAddress("localhost") == nil && PeerAddress("") == nil)
    }
}
