import CZeroMQ
import Testing

@testable import Transport

@Suite(.timeLimit(.minutes(5))) struct SocketTests {
    let context: Context

    init() throws { context = try Context() }

    /// Who speaks at the router's end and at the dealer's: both must be the same to the other.
    struct Pair: CustomTestStringConvertible, Sendable {
        let router: SocketOptions
        let dealer: SocketOptions

        init(_ router: SocketOptions.Implementation, _ dealer: SocketOptions.Implementation) {
            self.router = router.options
            self.dealer = dealer.options
        }

        var testDescription: String { "\(router.implementation) and \(dealer.implementation)" }

        static let all = [
            Pair(.direct, .direct), Pair(.direct, .library), Pair(.library, .direct), Pair(.library, .library),
        ]
    }

    static let tcp = Endpoint.tcp(host: "127.0.0.1", port: 0)

    @Test(arguments: ["tcp", "ipc", "abstract", "inproc"], Pair.all)
    func `frames of all sizes come and go`(transport: String, pair: Pair) throws {
        let endpoints = [
            "tcp": Self.tcp, "ipc": temporaryIPC(), "abstract": .ipc(path: "@tf-\(PeerID.fresh())"),
            "inproc": .inproc(name: "echo"),
        ]
        var router = try RouterSocket(context, options: pair.router)
        let bound = try router.bind(#require(endpoints[transport]))
        #expect(bound.port != 0)
        let id = PeerID.fresh(3)
        var dealer = try DealerSocket(context, routingID: id, options: pair.dealer)
        try dealer.connect(bound)
        if !dealer.isEstablished { try dealer.await(with: router.link) { $0 == .handshakeSucceeded } }
        // 33 bytes is the most that stands inside a zmq_msg_t, 255 what has a short head, 8192 libzmq's read buffer,
        // 4096 and 131,072 the steps of ours.
        for count in [0, 1, 32, 33, 34, 255, 256, 4094, 4096, 8191, 8193, 131_072, 300_000] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            #expect(dealer.send(bytes.span) == .sent)
            let frame = try router.awaitFrame(with: dealer.link)
            #expect(frame.peer == id)
            #expect(frame.bytes == bytes)
            #expect(router.send(bytes.span, to: id) == .sent)
            #expect(try dealer.awaitFrame(with: router.link) == bytes)
        }
        #expect(router.counters.received == 13 && router.counters.sent == 13)
        #expect(dealer.counters.received == 13 && dealer.counters.sent == 13)
    }

    @Test func `a message that moves keeps its bytes`() throws {
        // Inside the message, and outside.
        for count in [33, 34] {
            let bytes = [UInt8](repeating: UInt8(count), count: count)
            var message = LibraryMessage()
            let isFilled = message.fill(copying: bytes.span)
            #expect(isFilled)
            let moved = relay(message)
            let again = moved.bytes.array
            #expect(again == bytes)
        }
    }

    private func relay(_ message: consuming LibraryMessage) -> LibraryMessage { message }

    @Test(arguments: Pair.all) func `an unknown peer is an outcome`(pair: Pair) throws {
        var router = try RouterSocket(context, options: pair.router)
        #expect(router.send([1].span, to: .fresh()) == .unreachable)
        let bound = try router.bind(Self.tcp)
        #expect(router.send([1].span, to: .fresh()) == .unreachable)
        #expect(router.counters.unreachable == 2)
        // Nothing is left half sent: the next peer gets its own frame.
        let id = PeerID.fresh()
        var dealer = try DealerSocket(context, routingID: id, options: pair.dealer)
        try dealer.connect(bound)
        try dealer.await(with: router.link) { $0 == .handshakeSucceeded }
        #expect(dealer.sendAll([1]) == .sent)
        _ = try router.awaitFrame()
        #expect(router.send([1].span, to: .fresh()) == .unreachable)
        #expect(router.send([2].span, to: id) == .sent)
        #expect(try dealer.awaitFrame() == [2])
    }

    @Test(arguments: Pair.all) func `a dealer without a router queues nothing`(pair: Pair) throws {
        let endpoint = temporaryIPC()
        var dealer = try DealerSocket(context, routingID: .fresh(), options: pair.dealer)
        try dealer.connect(endpoint)
        #expect(dealer.sendAll([1]) == .unreachable)
        #expect(dealer.counters.unreachable == 1)
        // It comes later, and the dealer finds it without being asked.
        var router = try RouterSocket(context, options: pair.router)
        try router.bind(endpoint)
        try dealer.await(with: router.link) { $0 == .handshakeSucceeded }
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

    @Test func `what is sent to a peer that does not read waits, up to the mark`() throws {
        var options = SocketOptions()
        options.sendHighWater = 100
        var router = try RouterSocket(context, options: options)
        let bound = try router.bind(temporaryIPC())
        let id = PeerID.fresh()
        var dealer = try DealerSocket(context, routingID: id)
        try dealer.connect(bound)
        try dealer.await(with: router.link) { $0 == .handshakeSucceeded }
        #expect(dealer.sendAll([0]) == .sent)
        _ = try router.awaitFrame()
        // Each frame is its number, over and over: what comes must be whole, in order, and all that was taken.
        var outcome = SendOutcome.sent
        var sent = 0
        while outcome == .sent, sent < 10_000 {
            let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: sent), count: 20_000)
            outcome = router.send(bytes.span, to: id)
            if outcome == .sent { sent += 1 }
        }
        #expect(outcome == .wouldBlock)
        #expect(router.counters.wouldBlock == 1)
        #expect(sent > 100)
        for number in 0..<sent {
            var frame: [UInt8]?
            while frame == nil {
                if let message = try dealer.receive() { frame = message.bytes.array }
                // The kernel takes more as the dealer reads, and the router hears of it when it looks.
                router.link?.takePart()
            }
            #expect(frame == [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 20_000))
        }
        #expect(router.send([1].span, to: id) == .sent)
        #expect(try dealer.awaitFrame() == [1])
    }

    @Test(arguments: [SocketOptions.Implementation.direct, .library])
    func `messages of several parts are dropped and counted`(own: SocketOptions.Implementation) throws {
        var router = try RouterSocket(context, options: own.options)
        let stranger = try stranger(.fresh(), of: &router)
        for count in 2...5 {
            for part in 1...count { #expect(stranger.send(part: [9], more: part < count) == .sent) }
        }
        #expect(stranger.send(part: [1], more: false) == .sent)
        let frame = try router.awaitFrame()
        #expect(frame.bytes == [1])
        #expect(router.counters.malformed == 4)

        // The other way: what follows the routing part is two parts.
        let other = try LibrarySocket(context, type: ZMQ_ROUTER, options: SocketOptions())
        let id = PeerID.fresh()
        var dealer = try DealerSocket(context, routingID: id, options: own.options)
        try dealer.connect(other.bind(Self.tcp))
        try dealer.await { $0 == .handshakeSucceeded }
        #expect(dealer.sendAll([0]) == .sent)
        #expect(try other.wait(milliseconds: patience))
        for part in [id.bytes, [1]] { #expect(other.send(part: part, more: true) == .sent) }
        #expect(other.send(part: [2], more: false) == .sent)
        #expect(other.send([3].span, to: id) == .sent)
        #expect(try dealer.awaitFrame() == [3])
        #expect(dealer.counters.malformed == 1)
    }

    @Test(arguments: [SocketOptions.Implementation.direct, .library])
    func `a flood of bad messages ends a receive but not the socket`(own: SocketOptions.Implementation) throws {
        var router = try RouterSocket(context, options: own.options)
        let stranger = try stranger(.fresh(), of: &router)
        for _ in 0..<1000 {
            #expect(stranger.send(part: [1], more: true) == .sent)
            #expect(stranger.send(part: [2], more: false) == .sent)
        }
        #expect(stranger.send(part: [3], more: false) == .sent)
        #expect(try router.wait(milliseconds: patience))
        let isNothing = try router.receive() == nil
        #expect(isNothing)
        #expect(router.counters.malformed <= 64)
        #expect(try router.awaitFrame().bytes == [3])
        #expect(router.counters.malformed == 1000)
    }

    /// The same, connected to a router that is bound for it.
    private func stranger(_ id: PeerID, of router: inout RouterSocket) throws -> LibrarySocket {
        let bound = try router.bind(Self.tcp)
        let stranger = try stranger(id)
        try stranger.connect(bound)
        try awaitHandshake(stranger, with: router.link)
        return stranger
    }

    /// A dealer of libzmq's, which can send what ours does not.
    private func stranger(_ id: PeerID?) throws -> LibrarySocket {
        let socket = try LibrarySocket(context, type: ZMQ_DEALER, options: SocketOptions())
        if let id { try socket.set(ZMQ_ROUTING_ID, id) }
        try socket.startMonitor()
        return socket
    }

    private func awaitHandshake(_ socket: LibrarySocket, with router: (any LinkSocket)?) throws {
        let end = MonotonicClock.now() + UInt64(patience) * 1_000_000
        while !socket.isEstablished {
            guard try socket.nextEvent() == nil else { continue }
            guard MonotonicClock.now() < end else { throw TimedOut() }
            router?.takePart()
            _ = try socket.wait(milliseconds: 1)
        }
    }

    @Test(arguments: ["", "short", "longer than eight"], [SocketOptions.Implementation.direct, .library])
    func `a peer whose id has not eight bytes is refused and counted`(
        id: String, own: SocketOptions.Implementation
    ) throws {
        var router = try RouterSocket(context, options: own.options)
        let bound = try router.bind(Self.tcp)
        let stranger = try stranger(nil)
        if !id.isEmpty { try stranger.set(ZMQ_ROUTING_ID, id) }
        try stranger.connect(bound)
        try awaitHandshake(stranger, with: router.link)
        #expect(stranger.send([1].span, to: nil) == .sent)
        while router.counters.foreignPeers == 0 {
            let isNothing = try router.receive() == nil
            #expect(isNothing)
            _ = try router.wait(milliseconds: 50)
        }
        var dealer = try DealerSocket(context, routingID: .fresh())
        try dealer.connect(bound)
        try dealer.await(with: router.link) { $0 == .handshakeSucceeded }
        #expect(dealer.sendAll([2]) == .sent)
        #expect(try router.awaitFrame().bytes == [2])
        #expect(router.counters.foreignPeers == 1)
    }

    @Test(arguments: Pair.all) func `a peer that comes back takes its id over`(pair: Pair) throws {
        var router = try RouterSocket(context, options: pair.router)
        let bound = try router.bind(.tcp(host: "127.0.0.1", port: 0))
        let id = PeerID.fresh()
        var old = try DealerSocket(context, routingID: id, options: pair.dealer)
        try old.connect(bound)
        try old.await(with: router.link) { $0 == .handshakeSucceeded }
        #expect(old.sendAll([1]) == .sent)
        #expect(try router.awaitFrame().bytes == [1])

        var new = try DealerSocket(context, routingID: id, options: pair.dealer)
        try new.connect(bound)
        try new.await(with: router.link) { $0 == .handshakeSucceeded }
        #expect(new.sendAll([2]) == .sent)
        #expect(try router.awaitFrame().bytes == [2])
        #expect(router.send([3].span, to: id) == .sent)
        #expect(try new.awaitFrame() == [3])
        #expect(try isEmpty(&old))
    }

    private func isEmpty(_ dealer: inout DealerSocket) throws -> Bool { try dealer.receive() == nil }

    @Test(arguments: Pair.all) func `a peer that sends too much is disconnected`(pair: Pair) throws {
        var options = pair.router
        options.maximumMessageBytes = 1000
        var router = try RouterSocket(context, options: options)
        let bound = try router.bind(.tcp(host: "127.0.0.1", port: 0))
        var dealer = try DealerSocket(context, routingID: .fresh(), options: pair.dealer)
        try dealer.connect(bound)
        try dealer.await(with: router.link) { $0 == .handshakeSucceeded }
        #expect(dealer.sendAll([UInt8](repeating: 1, count: 1000)) == .sent)
        #expect(try router.awaitFrame().bytes.count == 1000)
        #expect(dealer.sendAll([UInt8](repeating: 1, count: 1001)) == .sent)
        while try router.wait(milliseconds: 200) {
            let isNothing = try router.receive() == nil
            #expect(isNothing)
        }
        try dealer.await(with: router.link) { $0 == .disconnected }
        // It connects again, and the long frame is gone.
        try dealer.await(with: router.link) { $0 == .handshakeSucceeded }
        #expect(dealer.sendAll([2]) == .sent)
        #expect(try router.awaitFrame().bytes == [2])
    }

    @Test(arguments: Pair.all) func `a dealer's events tell of its router's life and death`(pair: Pair) throws {
        let endpoint: Endpoint
        var dealer = try DealerSocket(context, routingID: .fresh(), options: pair.dealer)
        do {
            var router = try RouterSocket(context, options: pair.router)
            endpoint = try router.bind(.tcp(host: "127.0.0.1", port: 0))
            try dealer.connect(endpoint)
            #expect(try dealer.await(with: router.link) { $0 == .connected }.endpoint == endpoint.description)
            #expect(dealer.isEstablished == false)
            #expect(try dealer.await(with: router.link) { $0 == .handshakeSucceeded }.endpoint == endpoint.description)
            #expect(dealer.isEstablished == true)
            router.close()
            #expect(router.send([1].span, to: .fresh()) == .failed(ENOTSOCK))
        }
        try dealer.await { $0 == .disconnected }
        #expect(dealer.isEstablished == false)
        #expect(dealer.sendAll([1]) == .unreachable)
    }

    @Test(arguments: Pair.all) func `a router reports connections if asked`(pair: Pair) throws {
        var options = pair.router
        options.monitored = true
        var router = try RouterSocket(context, options: options)
        let bound = try router.bind(.tcp(host: "127.0.0.1", port: 0))
        var dealer = try DealerSocket(context, routingID: .fresh(), options: pair.dealer)
        try dealer.connect(bound)
        try dealer.await(with: router.link) { $0 == .handshakeSucceeded }
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

    @Test(arguments: Pair.all) func `disconnecting ends the link for good`(pair: Pair) throws {
        var router = try RouterSocket(context, options: pair.router)
        let bound = try router.bind(.tcp(host: "127.0.0.1", port: 0))
        var dealer = try DealerSocket(context, routingID: .fresh(), options: pair.dealer)
        try dealer.connect(bound)
        try dealer.await(with: router.link) { $0 == .handshakeSucceeded }
        try dealer.disconnect(bound)
        #expect(dealer.sendAll([1]) == .unreachable)
        #expect(throws: TransportError.system(operation: "disconnect", subject: bound.description, code: ENOENT)) {
            let dealer = try DealerSocket(context, routingID: .fresh(), options: pair.dealer)
            try dealer.disconnect(bound)
        }
    }

    @Test(arguments: Pair.all) func `an address in use is an error that names it`(pair: Pair) throws {
        var first = try RouterSocket(context, options: pair.router)
        let bound = try first.bind(.tcp(host: "127.0.0.1", port: 0))
        #expect(throws: TransportError.system(operation: "bind", subject: bound.description, code: EADDRINUSE)) {
            var second = try RouterSocket(context, options: pair.router)
            try second.bind(bound)
        }
        #expect(
            TransportError.system(operation: "bind", subject: "tcp://x:1", code: EADDRINUSE).description
                == "bind tcp://x:1: Address already in use (98)")
    }

    @Test func `a routing id that starts with 0 is refused`() throws {
        #expect(throws: TransportError.self) { _ = try DealerSocket(context, routingID: PeerID(raw: 0x0100)) }
    }

    @Test(arguments: Pair.all) func `a link over IPv6 works where there is IPv6`(pair: Pair) throws {
        var router = try RouterSocket(context, options: pair.router)
        let bound: Endpoint
        do {
            bound = try router.bind(.tcp(host: "::1", port: 0))
        } catch {
            return
        }
        #expect(bound.description.hasPrefix("tcp://[::1]:"))
        var dealer = try DealerSocket(context, routingID: .fresh(), options: pair.dealer)
        try dealer.connect(bound)
        try dealer.await(with: router.link) { $0 == .handshakeSucceeded }
    }
}
