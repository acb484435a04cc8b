import Glibc
import Testing

@testable import Transport
import ZMTP

/// What only our own streams do, against a peer that is bare bytes.
@Suite(.timeLimit(.minutes(5))) struct StreamTests {
    let context: Context

    init() throws { context = try Context() }

    @Test func `silence is asked about, and then the end`() {
        var liveness = Liveness()
        liveness.answers = true
        #expect(liveness.beat(interval: 10, timeout: 30) == .alive)
        for _ in 0..<3 { #expect(liveness.beat(interval: 10, timeout: 30) == .ask) }
        #expect(liveness.beat(interval: 10, timeout: 30) == .dead)
        liveness.isHeard = true
        #expect(liveness.beat(interval: 10, timeout: 30) == .alive)
        #expect(liveness.beat(interval: 10, timeout: 30) == .ask)
        liveness.timeToLive = 20
        #expect(liveness.beat(interval: 10, timeout: 30) == .dead)

        var old = Liveness()
        for _ in 0..<100 { #expect(old.beat(interval: 10, timeout: 30) == .alive) }
    }

    @Test func `who does not speak ZeroMQ is hung up on, and others are served`() throws {
        var router = try RouterSocket(context)
        let bound = try router.bind(SocketTests.tcp)
        let stranger = try Stranger(bound)
        stranger.send(Array("GET / HTTP/1.1\r\n\r\n".utf8))
        let heard = try stranger.hearUntilClosed(router.link)
        #expect(heard == Handshake.greeting)
        #expect(router.counters.refusedConnections == 1)
        var dealer = try DealerSocket(context, routingID: .fresh())
        try dealer.connect(bound)
        try dealer.await(with: router.link) { $0 == .handshakeSucceeded }
        #expect(dealer.sendAll([1]) == .sent)
        #expect(try router.awaitFrame().bytes == [1])
    }

    @Test func `who connects and says nothing is hung up on`() throws {
        var options = SocketOptions()
        options.handshakeTimeout = 50
        options.monitored = true
        var router = try RouterSocket(context, options: options)
        let stranger = try Stranger(router.bind(SocketTests.tcp))
        #expect(try stranger.hearUntilClosed(router.link) == Handshake.greeting)
        var kinds: [MonitorEvent.Kind] = []
        while let event = try router.nextEvent() { kinds.append(event.kind) }
        #expect(kinds == [.accepted, .handshakeFailed(.noDetail(ETIMEDOUT))])
    }

    @Test func `a peer that falls silent is asked, and then given up`() throws {
        var options = SocketOptions()
        options.heartbeatInterval = 20
        options.heartbeatTimeout = 60
        options.heartbeatTimeToLive = 300
        var router = try RouterSocket(context, options: options)
        let stranger = try Stranger(router.bind(SocketTests.tcp))
        let id = PeerID.fresh()
        stranger.send(Handshake.greeting + Command.ready(socketType: "DEALER", identity: id.bytes).frame + [0, 1, 7])
        #expect(try router.awaitFrame().bytes == [7])
        // Its question is answered, with the same words.
        stranger.send(Command.ping(timeToLive: 0, context: [4, 2]).frame)
        var heard = try stranger.hearUntilClosed(router.link) { _ = try router.receive() == nil }
        let opening = Handshake.greeting + Command.ready(socketType: "ROUTER", identity: []).frame
        #expect(heard.starts(with: opening))
        heard.removeFirst(opening.count)
        let pong = Command.pong(context: [4, 2]).frame
        let ping = Command.ping(timeToLive: 3, context: []).frame
        #expect(heard.starts(with: pong))
        heard.removeFirst(pong.count)
        #expect(heard.starts(with: ping) && heard.count.isMultiple(of: ping.count))
        #expect(router.send([1].span, to: id) == .unreachable)
    }

    @Test func `a peer that only asks keeps nobody from the thread, and costs no memory`() throws {
        var options = SocketOptions()
        options.sendHighWater = 50
        var router = try RouterSocket(context, options: options)
        let stranger = try Stranger(router.bind(SocketTests.tcp))
        let id = PeerID.fresh()
        let ping = Command.ping(timeToLive: 0, context: []).frame
        stranger.send(
            Handshake.greeting + Command.ready(socketType: "DEALER", identity: id.bytes).frame
                + (0..<200).flatMap { _ in ping } + [0, 1, 7])
        // Each receive passes over some and returns, though the frame stands behind them.
        var empty = 0
        var bytes: [UInt8]?
        while bytes == nil {
            router.link?.takePart()
            if let frame = try router.receive() { bytes = frame.message.bytes.array } else { empty += 1 }
        }
        #expect(bytes == [7])
        #expect(empty >= 3)
    }

    @Test func `a router that comes back is found`() throws {
        let endpoint = temporaryIPC()
        var dealer = try DealerSocket(context, routingID: .fresh())
        try dealer.connect(endpoint)
        do {
            var router = try RouterSocket(context)
            try router.bind(endpoint)
            try dealer.await(with: router.link) { $0 == .handshakeSucceeded }
            router.close()
        }
        try dealer.await { $0 == .disconnected }
        #expect(dealer.sendAll([1]) == .unreachable)
        var router = try RouterSocket(context)
        try router.bind(endpoint)
        try dealer.await(with: router.link) { $0 == .handshakeSucceeded }
        #expect(dealer.sendAll([2]) == .sent)
        #expect(try router.awaitFrame().bytes == [2])
    }

    @Test func `what was received stays whole while more comes in behind it, and its memory moves`() throws {
        let ends = try socketPair()
        defer { for end in ends { close(end) } }
        var buffer = ReceiveBuffer()
        var sent = SendBuffer()
        // One frame behind, so that each read finds some that was not used yet.
        for byte in UInt8(1)..<250 {
            sent.append(message: [UInt8](repeating: byte, count: 100 * Int(byte)).span)
            #expect(sent.write(to: ends[0]) == .done)
            #expect(buffer.read(from: ends[1]) != .nothing)
            while byte > 1, buffer.count < 9 + 100 * Int(byte - 1) { _ = buffer.read(from: ends[1]) }
            guard byte > 1 else { continue }
            let length = 100 * Int(byte - 1)
            buffer.skip(length < 256 ? 2 : 9)
            let piece = buffer.unread.extracting(..<length).array
            #expect(piece == [UInt8](repeating: byte - 1, count: length))
            buffer.skip(length)
        }
        while buffer.read(from: ends[1]) != .nothing {}
        #expect(buffer.count == 9 + 24_900)
    }

    @Test func `frames wait until the kernel has all of them`() throws {
        let ends = try socketPair()
        defer { for end in ends { close(end) } }
        var sent = SendBuffer()
        for byte in UInt8(0)..<100 { sent.append(message: [UInt8](repeating: byte, count: 40_000).span) }
        #expect(sent.frames == 100)
        #expect(sent.write(to: ends[0]) == .blocked)
        #expect((1..<100).contains(sent.frames))
        var buffer = ReceiveBuffer()
        for byte in UInt8(0)..<100 {
            while buffer.count < 40_009 {
                if buffer.read(from: ends[1]) == .nothing { _ = sent.write(to: ends[0]) }
            }
            buffer.skip(9)
            let piece = buffer.unread.extracting(..<40_000).array
            #expect(piece == [UInt8](repeating: byte, count: 40_000))
            buffer.skip(40_000)
        }
        #expect(sent.frames == 0 && sent.count == 0)
        close(ends[1])
        sent.append(framed: [1])
        #expect(sent.write(to: ends[0]) == .failed(EPIPE))
    }
}
