import Testing

@testable import Transport
import ZMTP

/// Two routers on one reactor, whose thread a test can hold until all that it sends has arrived.
private actor Twins {
    enum Twin: Sendable { case first, second }

    nonisolated let reactor: Reactor
    nonisolated let seen = Collector<Twin>()
    nonisolated let lengths = Collector<Int>()
    private var first: RouterSocket
    private var second: RouterSocket
    /// Frames that a twin takes in a turn.
    private let limit: Int
    private let closes: Bool
    /// Turns in which nothing is taken before anything is.
    private var idle = 0
    private var ticks = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.executor }

    init(_ context: Context, reactor: Reactor, limit: Int, closes: Bool = false) throws(TransportError) {
        self.reactor = reactor
        self.limit = limit
        self.closes = closes
        // Those who call answer no heartbeats, and a busy machine may take longer than they allow.
        var options = SocketOptions()
        options.heartbeatInterval = 0
        first = try RouterSocket(context, options: options)
        second = try RouterSocket(context, options: options)
    }

    func start() throws(TransportError) -> (first: Endpoint, second: Endpoint) {
        let bound = try (first.bind(SocketTests.tcp), second.bind(SocketTests.tcp))
        reactor.register(first) { [weak self] in self?.assumeIsolated { $0.drain(.first) } }
        reactor.register(second) { [weak self] in self?.assumeIsolated { $0.drain(.second) } }
        return bound
    }

    /// Takes nothing until the reactor has ticked so often while frames were there.
    func waitForTicks(_ count: Int) {
        ticks = count
        reactor.setTick(every: 1_000_000) { [weak self] in self?.assumeIsolated { $0.ticked() } }
    }

    private func ticked() {
        if idle > 0, ticks > 0 { ticks -= 1 }
    }

    private func drain(_ twin: Twin) {
        guard ticks == 0 else {
            idle += 1
            return
        }
        var taken = 0
        do throws(TransportError) {
            switch twin {
            case .first:
                try first.receiveAll(upTo: limit) {
                    taken += 1
                    seen.append(.first)
                    lengths.append($0.bytes.count)
                }
            case .second:
                try second.receiveAll(upTo: limit) { _ in
                    taken += 1
                    seen.append(.second)
                }
            }
        } catch {
            Issue.record(error)
        }
        // After a handshake there may be frames, and are none.
        guard closes, taken > 0 else { return }
        if twin == .first { second.close() } else { first.close() }
    }

    var idleTurns: Int { idle }
}

/// Several sockets of one reactor: none takes anything from another.
@Suite(.timeLimit(.minutes(5))) struct SharingTests {
    let context: Context
    let reactor: Reactor

    init() throws {
        context = try Context()
        reactor = try Reactor(name: "shared")
    }

    /// A dealer's end of bare bytes whose handshake is done.
    private func caller(_ endpoint: Endpoint) async throws -> Stranger {
        let stranger = try Stranger(endpoint)
        stranger.greet()
        let opening = Handshake.greeting + Command.ready(socketType: "ROUTER", identity: []).frame
        var heard: [UInt8] = []
        let end = MonotonicClock.now() + UInt64(patience) * 1_000_000
        while heard.count < opening.count, MonotonicClock.now() < end {
            heard += stranger.hear()
            await Task.yield()
        }
        #expect(heard == opening)
        return stranger
    }

    /// Holds the reactor's thread until the gate is opened, so that all that comes meanwhile is there at once.
    private func held() async -> Gate {
        let gate = Gate()
        let isHeld = Collector<Bool>()
        reactor.post {
            isHeld.append(true)
            gate.pass()
        }
        _ = await isHeld.wait(for: 1)
        return gate
    }

    private static func frames(_ count: Int) -> [UInt8] { (0..<count).flatMap { _ in [0, 1, 7] as [UInt8] } }

    @Test func `a busy socket leaves another its turns`() async throws {
        let twins = try Twins(context, reactor: reactor, limit: 1)
        let bound = try await twins.start()
        let (busy, quiet) = (try await caller(bound.first), try await caller(bound.second))
        let gate = await held()
        busy.send(Self.frames(5000))
        quiet.send(Self.frames(2))
        gate.open()
        let seen = await twins.seen.wait(for: 5002)
        // One frame each in a turn, for as long as both have some.
        #expect(seen.prefix(4).filter { $0 == .second }.count == 2)
        reactor.stop()
    }

    @Test func `a busy connection leaves another of its socket its turns`() async throws {
        let server = try Twins(context, reactor: reactor, limit: 1)
        let bound = try await server.start()
        let (busy, quiet) = (try await caller(bound.first), try await caller(bound.first))
        let gate = await held()
        busy.send(Self.frames(8000))
        quiet.send([0, 2, 1, 1])
        gate.open()
        let lengths = await server.lengths.wait(for: 8001)
        // What one connection had received may come first, which its memory bounds.
        let place = try #require(lengths.firstIndex(of: 2))
        #expect(place <= (16 << 10) / 3 + 1)
        reactor.stop()
    }

    @Test func `time passes though a socket has frames in every turn`() async throws {
        let twins = try Twins(context, reactor: reactor, limit: 256)
        let bound = try await twins.start()
        let busy = try await caller(bound.first)
        await twins.waitForTicks(3)
        busy.send(Self.frames(100))
        #expect(await twins.seen.wait(for: 100).count == 100)
        #expect(await twins.idleTurns > 0)
        reactor.stop()
    }

    @Test func `a socket that another's frame has closed is not called for its own`() async throws {
        let twins = try Twins(context, reactor: reactor, limit: 256, closes: true)
        let bound = try await twins.start()
        let callers = [try await caller(bound.first), try await caller(bound.second)]
        let gate = await held()
        for caller in callers { caller.send([0, 1, 7]) }
        gate.open()
        _ = await twins.seen.wait(for: 1)
        let over = Collector<Bool>()
        reactor.post { over.append(true) }
        _ = await over.wait(for: 1)
        #expect(twins.seen.values.count == 1)
        reactor.stop()
    }

    @Test func `a socket that leaves its reactor goes on by itself`() throws {
        let loop = try ReactorLoop()
        var router = try RouterSocket(context)
        let id = PeerID.fresh()
        var dealer = try DealerSocket(context, routingID: id)
        try dealer.connect(router.bind(SocketTests.tcp))
        try dealer.await(with: router.link) { $0 == .handshakeSucceeded }
        for round in UInt8(0)..<3 {
            let registration = Registration(router.link, reactor, loop, onReadable: {}, onMonitor: nil)
            loop.add(registration)
            #expect(dealer.sendAll([round]) == .sent)
            var bytes: UInt8?
            let end = MonotonicClock.now() + UInt64(patience) * 1_000_000
            while bytes == nil, MonotonicClock.now() < end {
                loop.poll(milliseconds: 50)
                loop.dispatch()
                try router.receiveAll(upTo: 1) { bytes = $0.bytes[0] }
            }
            #expect(bytes == round)
            // What is sent within a turn goes with its end.
            #expect(router.send([round, 1].span, to: id) == .sent)
            loop.flush()
            #expect(try dealer.awaitFrame() == [round, 1])
            registration.leave()
            #expect(loop.poller.count == 0)
            #expect(dealer.sendAll([round, 2]) == .sent)
            #expect(try router.awaitFrame().bytes == [round, 2])
        }
        reactor.stop()
    }
}
