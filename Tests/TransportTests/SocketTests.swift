import CZeroMQ
import Testing

@testable import Transport

@Suite(.timeLimit(.minutes(1))) struct SocketTests {
    let context: Context

    init() throws { context = try Context() }

    @Test(arguments: [Endpoint.tcp(host: "127.0.0.1", port: 0), temporaryIPC(), .inproc(name: "echo")])
    func `frames of all sizes come and go`(endpoint: Endpoint) throws {
        var router = try RouterSocket(context)
        let bound = try router.bind(endpoint)
        #expect(bound.port != 0)
        let id = PeerID.fresh(3)
        var dealer = try DealerSocket(context, routingID: id)
        try dealer.connect(bound)
        if !dealer.isEstablished { try dealer.await { $0 == .handshakeSucceeded } }
        // 33 bytes is the most that stands inside a zmq_msg_t, 8192 libzmq's read buffer.
        for count in [0, 1, 32, 33, 34, 8191, 8193, 300_000] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            #expect(dealer.send(bytes.span) == .sent)
            let frame = try router.awaitFrame()
            #expect(frame.peer == id)
            #expect(frame.bytes == bytes)
            #expect(router.send(bytes.span, to: id) == .sent)
            #expect(try dealer.awaitFrame() == bytes)
        }
        #expect(router.counters.received == 8 && router.counters.sent == 8)
        #expect(dealer.counters.received == 8 && dealer.counters.sent == 8)
    }

    @Test func `a message that moves keeps its bytes`() throws {
        var router = try RouterSocket(context)
        let bound = try router.bind(.inproc(name: "moves"))
        var dealer = try DealerSocket(context, routingID: .fresh())
        try dealer.connect(bound)
        // Inside the message, and outside.
        for count in [33, 34] {
            let bytes = [UInt8](repeating: UInt8(count), count: count)
            #expect(dealer.sendAll(bytes) == .sent)
            if let frame = try router.receive() {
                let message = relay(frame.takeMessage())
                let view = message.bytes
                let again = view.array
                let user = message.userID
                #expect(again == bytes)
                #expect(user == nil)
            } else {
                Issue.record("nothing received")
            }
        }
    }

    private func relay(_ message: consuming Message) -> Message { message }

    @Test func `an unknown peer is an outcome`() throws {
        var router = try RouterSocket(context)
        try router.bind(.tcp(host: "127.0.0.1", port: 0))
        #expect(router.send([1].span, to: .fresh()) == .unreachable)
        #expect(router.counters.unreachable == 1)
        // Nothing is left half sent: the next peer gets its own frame.
        let bound = try router.bind(.inproc(name: "known"))
        let id = PeerID.fresh()
        var dealer = try DealerSocket(context, routingID: id)
        try dealer.connect(bound)
        #expect(dealer.sendAll([1]) == .sent)
        _ = try router.awaitFrame()
        #expect(router.send([1].span, to: .fresh()) == .unreachable)
        #expect(router.send([2].span, to: id) == .sent)
        #expect(try dealer.awaitFrame() == [2])
    }

    @Test func `a dealer without a router queues nothing`() throws {
        let endpoint = temporaryIPC()
        var dealer = try DealerSocket(context, routingID: .fresh())
        try dealer.connect(endpoint)
        #expect(dealer.sendAll([1]) == .unreachable)
        #expect(dealer.counters.unreachable == 1)
        // It comes later, and the dealer finds it without being asked.
        var router = try RouterSocket(context)
        try router.bind(endpoint)
        try dealer.await { $0 == .handshakeSucceeded }
        #expect(dealer.sendAll([2]) == .sent)
        #expect(try router.awaitFrame().bytes == [2])
    }

    @Test func `a full queue is an outcome`() throws {
        var options = SocketOptions()
        options.sendHighWater = 10
        options.receiveHighWater = 10
        var router = try RouterSocket(context, options: options)
        let bound = try router.bind(.inproc(name: "full"))
        let id = PeerID.fresh()
        var dealer = try DealerSocket(context, routingID: id, options: options)
        try dealer.connect(bound)
        var outcome = SendOutcome.sent
        var sent = 0
        while outcome == .sent, sent < 1000 {
            outcome = dealer.sendAll([1])
            if outcome == .sent { sent += 1 }
        }
        #expect(outcome == .wouldBlock)
        #expect(dealer.counters.wouldBlock == 1)
        #expect(dealer.counters.sent == UInt64(sent))
        for _ in 0..<sent { _ = try router.awaitFrame() }

        outcome = .sent
        sent = 0
        while outcome == .sent, sent < 1000 {
            outcome = router.send([1].span, to: id)
            if outcome == .sent { sent += 1 }
        }
        #expect(outcome == .wouldBlock)
        #expect(router.counters.wouldBlock == 1)
        for _ in 0..<sent { #expect(try dealer.awaitFrame() == [1]) }
    }

    @Test func `messages of several parts are dropped and counted`() throws {
        var router = try RouterSocket(context)
        let bound = try router.bind(.inproc(name: "parts"))
        let id = PeerID.fresh()
        var dealer = try DealerSocket(context, routingID: id)
        try dealer.connect(bound)
        for count in 2...5 {
            for part in 1...count { #expect(dealer.handle.send(part: [9], more: part < count) == .sent) }
        }
        #expect(dealer.sendAll([1]) == .sent)
        let frame = try router.awaitFrame()
        #expect(frame.bytes == [1])
        #expect(router.counters.malformed == 4)

        // The other way: what follows the routing part is two parts.
        var bytes = frame.peer.raw.littleEndian
        let routing = (0..<8).map { _ in
            defer { bytes >>= 8 }
            return UInt8(truncatingIfNeeded: bytes)
        }
        for part in [routing, [1]] { #expect(router.handle.send(part: part, more: true) == .sent) }
        #expect(router.handle.send(part: [2], more: false) == .sent)
        #expect(router.send([3].span, to: id) == .sent)
        #expect(try dealer.awaitFrame() == [3])
        #expect(dealer.counters.malformed == 1)
    }

    @Test func `a flood of bad messages ends a receive but not the socket`() throws {
        var router = try RouterSocket(context)
        let bound = try router.bind(.inproc(name: "flood"))
        var dealer = try DealerSocket(context, routingID: .fresh())
        try dealer.connect(bound)
        for _ in 0..<100 {
            #expect(dealer.handle.send(part: [1], more: true) == .sent)
            #expect(dealer.handle.send(part: [2], more: false) == .sent)
        }
        #expect(dealer.sendAll([3]) == .sent)
        let isNothing = try router.receive() == nil
        #expect(isNothing)
        #expect(router.counters.malformed == 64)
        #expect(try router.wait(milliseconds: 0))
        #expect(try router.awaitFrame().bytes == [3])
        #expect(router.counters.malformed == 100)
    }

    @Test(arguments: ["", "short", "longer than eight"])
    func `a peer whose id has not eight bytes is refused and counted`(id: String) throws {
        var router = try RouterSocket(context)
        let bound = try router.bind(.inproc(name: "foreign"))
        let stranger = try SocketHandle(context, type: ZMQ_DEALER, options: SocketOptions())
        if !id.isEmpty { try stranger.set(ZMQ_ROUTING_ID, id) }
        try stranger.connect(bound)
        #expect(stranger.send([1].span, to: nil) == .sent)
        var dealer = try DealerSocket(context, routingID: .fresh())
        try dealer.connect(bound)
        #expect(dealer.sendAll([2]) == .sent)
        #expect(try router.awaitFrame().bytes == [2])
        #expect(router.counters.foreignPeers == 1)
    }

    @Test func `a peer that comes back takes its id over`() throws {
        var router = try RouterSocket(context)
        let bound = try router.bind(.tcp(host: "127.0.0.1", port: 0))
        let id = PeerID.fresh()
        var old = try DealerSocket(context, routingID: id)
        try old.connect(bound)
        try old.await { $0 == .handshakeSucceeded }
        #expect(old.sendAll([1]) == .sent)
        #expect(try router.awaitFrame().bytes == [1])

        var new = try DealerSocket(context, routingID: id)
        try new.connect(bound)
        try new.await { $0 == .handshakeSucceeded }
        #expect(new.sendAll([2]) == .sent)
        #expect(try router.awaitFrame().bytes == [2])
        #expect(router.send([3].span, to: id) == .sent)
        #expect(try new.awaitFrame() == [3])
        #expect(try isEmpty(&old))
    }

    private func isEmpty(_ dealer: inout DealerSocket) throws -> Bool { try dealer.receive() == nil }

    @Test func `a peer that sends too much is disconnected`() throws {
        var options = SocketOptions()
        options.maximumMessageBytes = 1000
        var router = try RouterSocket(context, options: options)
        let bound = try router.bind(.tcp(host: "127.0.0.1", port: 0))
        var dealer = try DealerSocket(context, routingID: .fresh())
        try dealer.connect(bound)
        try dealer.await { $0 == .handshakeSucceeded }
        #expect(dealer.sendAll([UInt8](repeating: 1, count: 1000)) == .sent)
        #expect(try router.awaitFrame().bytes.count == 1000)
        #expect(dealer.sendAll([UInt8](repeating: 1, count: 1001)) == .sent)
        try dealer.await { $0 == .disconnected }
        // It connects again, and the long frame is gone.
        try dealer.await { $0 == .handshakeSucceeded }
        #expect(dealer.sendAll([2]) == .sent)
        #expect(try router.awaitFrame().bytes == [2])
    }

    @Test func `a dealer's events tell of its router's life and death`() throws {
        let endpoint: Endpoint
        var dealer = try DealerSocket(context, routingID: .fresh())
        do {
            var router = try RouterSocket(context)
            endpoint = try router.bind(.tcp(host: "127.0.0.1", port: 0))
            try dealer.connect(endpoint)
            #expect(try dealer.await { $0 == .connected }.endpoint == endpoint.description)
            #expect(dealer.isEstablished == false)
            #expect(try dealer.await { $0 == .handshakeSucceeded }.endpoint == endpoint.description)
            #expect(dealer.isEstablished == true)
            router.close()
            #expect(router.send([1].span, to: .fresh()) == .failed(ENOTSOCK))
        }
        try dealer.await { $0 == .disconnected }
        #expect(dealer.isEstablished == false)
        #expect(dealer.sendAll([1]) == .unreachable)
    }

    @Test func `a router reports connections if asked`() throws {
        var options = SocketOptions()
        options.monitored = true
        var router = try RouterSocket(context, options: options)
        let bound = try router.bind(.tcp(host: "127.0.0.1", port: 0))
        var dealer = try DealerSocket(context, routingID: .fresh())
        try dealer.connect(bound)
        try dealer.await { $0 == .handshakeSucceeded }
        var kinds: [MonitorEvent.Kind] = []
        let end = MonotonicClock.now() + UInt64(patience) * 1_000_000
        while kinds.count < 2, MonotonicClock.now() < end {
            if let event = try router.nextEvent() {
                kinds.append(event.kind)
            } else {
                _ = try router.wait(milliseconds: 50)
            }
        }
        #expect(kinds == [.accepted, .handshakeSucceeded])
    }

    @Test func `disconnecting ends the link for good`() throws {
        var router = try RouterSocket(context)
        let bound = try router.bind(.tcp(host: "127.0.0.1", port: 0))
        var dealer = try DealerSocket(context, routingID: .fresh())
        try dealer.connect(bound)
        try dealer.await { $0 == .handshakeSucceeded }
        try dealer.disconnect(bound)
        #expect(dealer.sendAll([1]) == .unreachable)
        #expect(throws: TransportError.system(operation: "disconnect", subject: bound.description, code: ENOENT)) {
            var dealer = try DealerSocket(context, routingID: .fresh())
            try dealer.disconnect(bound)
        }
    }

    @Test func `an address in use is an error that names it`() throws {
        var first = try RouterSocket(context)
        let bound = try first.bind(.tcp(host: "127.0.0.1", port: 0))
        #expect(throws: TransportError.system(operation: "bind", subject: bound.description, code: EADDRINUSE)) {
            var second = try RouterSocket(context)
            try second.bind(bound)
        }
        #expect(
            TransportError.system(operation: "bind", subject: "tcp://x:1", code: EADDRINUSE).description
                == "bind tcp://x:1: Address already in use (98)")
    }

    @Test func `a routing id that starts with 0 is refused`() throws {
        #expect(throws: TransportError.self) { _ = try DealerSocket(context, routingID: PeerID(raw: 0x0100)) }
    }

    @Test func `a link over IPv6 works where there is IPv6`() throws {
        var router = try RouterSocket(context)
        let bound: Endpoint
        do {
            bound = try router.bind(.tcp(host: "::1", port: 0))
        } catch {
            return
        }
        #expect(bound.description.hasPrefix("tcp://[::1]:"))
        var dealer = try DealerSocket(context, routingID: .fresh())
        try dealer.connect(bound)
        try dealer.await { $0 == .handshakeSucceeded }
    }
}
