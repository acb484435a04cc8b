import Synchronization
import Testing

@testable import Transport

private actor Counter {
    nonisolated let reactor: Reactor
    private(set) var values: [Int] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.executor }

    init(_ reactor: Reactor) { self.reactor = reactor }

    func add(_ value: Int) -> Bool {
        values.append(value)
        return reactor.isCurrent
    }
}

@Suite(.timeLimit(.minutes(5))) struct ReactorTests {
    let reactor: Reactor

    init() throws { reactor = try Reactor(name: "test") }

    @Test func `an actor runs on the reactor's thread`() async {
        let counter = Counter(reactor)
        #expect(!reactor.isCurrent)
        #expect(reactor.isIsolatingCurrentContext() == false)
        #expect(await counter.add(1))
        let seen = Collector<Bool>()
        reactor.post {
            counter.assumeIsolated { _ = $0.add(2) }
            seen.append(self.reactor.isCurrent)
        }
        #expect(await seen.wait(for: 1) == [true])
        #expect(await counter.values == [1, 2])
        reactor.stop()
    }

    @Test func `what is posted runs in order`() async {
        let seen = Collector<Int>()
        for value in 0..<1000 { reactor.post { seen.append(value) } }
        #expect(await seen.wait(for: 1000) == Array(0..<1000))
        reactor.stop()
    }

    @Test func `a job posted from the thread runs in a later turn and wakes nobody`() async {
        let seen = Collector<UInt64>()
        let reactor = reactor
        reactor.post {
            let before = reactor.statistics
            seen.append(before.turns)
            reactor.post {
                seen.append(reactor.statistics.turns)
                seen.append(reactor.statistics.wakeups - before.wakeups)
            }
        }
        let values = await seen.wait(for: 3)
        #expect(values[1] > values[0])
        #expect(values[2] == 0)
        reactor.stop()
    }

    @Test func `many posts to a busy reactor wake it at most once`() async {
        let gate = Gate()
        let seen = Collector<Int>()
        let reactor = reactor
        reactor.post {
            seen.append(-1)
            gate.pass()
        }
        _ = await seen.wait(for: 1)
        let before = reactor.statistics.wakeups
        for value in 0..<500 { reactor.post { seen.append(value) } }
        #expect(reactor.statistics.wakeups - before <= 1)
        gate.open()
        #expect(await seen.wait(for: 501).count == 501)
        #expect(reactor.statistics.wakeups - before <= 1)
        reactor.stop()
    }

    @Test func `it ticks, and another tick replaces the first`() async {
        let seen = Collector<String>()
        let reactor = reactor
        reactor.post { reactor.setTick(every: 1_000_000) { seen.append("first") } }
        _ = await seen.wait(for: 3)
        reactor.post {
            reactor.setTick(every: 1_000_000) { seen.append("second") }
            seen.append("replaced")
        }
        _ = await seen.wait(for: 8)
        let values = seen.values
        let rest = values.drop { $0 != "replaced" }.dropFirst()
        #expect(rest.allSatisfy { $0 == "second" })
        reactor.stop()
    }

    @Test func `a late tick is not made up for`() throws {
        let loop = try ReactorLoop()
        let count = Collector<Int>()
        loop.setTick(every: 10_000_000, now: 0) { count.append(1) }
        #expect(loop.patience { 0 } == 10)
        #expect(loop.patience { 9_000_001 } == 1)
        loop.tick { 9_999_999 }
        #expect(count.values.isEmpty)
        loop.tick { 10_000_000 }
        #expect(count.values.count == 1)
        // On time: the next is at 20 ms. Late: one tick for all that were missed.
        #expect(loop.patience { 15_000_000 } == 5)
        loop.tick { 95_000_000 }
        loop.tick { 95_000_000 }
        #expect(count.values.count == 2)
        #expect(loop.patience { 95_000_000 } == 10)
        #expect(try ReactorLoop().patience { 1 } == -1)
    }

    @Test func `a tick comes early in a turn that is there anyway, and sooner when asked for`() throws {
        let loop = try ReactorLoop()
        let count = Collector<Int>()
        loop.setTick(every: 100_000_000, slack: 10_000_000, now: 0) { count.append(1) }
        #expect(loop.patience { 0 } == 100)
        loop.tick { 89_999_999 }
        #expect(count.values.isEmpty)
        loop.tick { 90_000_000 }
        #expect(count.values.count == 1)
        #expect(loop.patience { 90_000_000 } == 110)
        loop.bringTick(within: 20_000_000) { 100_000_000 }
        #expect(loop.patience { 100_000_000 } == 20)
        loop.bringTick(within: 20_000_000) { 105_000_000 }
        #expect(loop.patience { 105_000_000 } == 15)
        loop.tick { 110_000_000 }
        #expect(count.values.count == 2)
        #expect(loop.patience { 110_000_000 } == 110)
        loop.bringTick(within: 500_000_000) { 110_000_000 }
        #expect(loop.patience { 110_000_000 } == 110)
    }

    @Test func `the turn's end comes after all that came in`() async {
        let seen = Collector<String>()
        let gate = Gate()
        let reactor = reactor
        reactor.post {
            reactor.setTurnEnd { seen.append("end") }
            gate.pass()
        }
        for _ in 0..<3 { reactor.post { seen.append("job") } }
        gate.open()
        // The first turn may have had any of the jobs, but none came after the last end.
        let end = Collector<String>()
        reactor.post { reactor.post { end.append("over") } }
        _ = await end.wait(for: 1)
        let values = seen.values
        #expect(values.filter { $0 == "job" }.count == 3)
        #expect(values.last == "end")
        reactor.stop()
    }

    @Test func `stopping ends the loop after the work that is there`() async {
        let seen = Collector<Int>()
        let gate = Gate()
        let reactor = reactor
        reactor.post { gate.pass() }
        for value in 0..<10 { reactor.post { seen.append(value) } }
        reactor.stop()
        reactor.stop()
        gate.open()
        await reactor.waitUntilStopped()
        #expect(seen.values == Array(0..<10))
        await reactor.waitUntilStopped()
        #expect(!reactor.isCurrent)
    }

    @Test func `jobs that come after the end still run, one at a time`() async {
        let counter = Counter(reactor)
        reactor.stop()
        await reactor.waitUntilStopped()
        for value in 0..<100 { #expect(await counter.add(value)) }
        #expect(await counter.values == Array(0..<100))
        await withTaskGroup { group in
            for value in 100..<200 { group.addTask { _ = await counter.add(value) } }
        }
        #expect(await Set(counter.values) == Set(0..<200))
    }

    @Test func `a stopped reactor lets go of its callbacks and itself`() async {
        final class Token: Sendable {}
        weak var held: Token?
        weak var kept: Reactor?
        do throws(TransportError) {
            let token = Token()
            let reactor = try Reactor(name: "released")
            held = token
            kept = reactor
            reactor.post { reactor.setTurnEnd { _ = token } }
            reactor.stop()
            await reactor.waitUntilStopped()
        } catch {
            Issue.record(error)
        }
        // The thread lets go right after it has said that it stopped.
        let end = MonotonicClock.now() + UInt64(patience) * 1_000_000
        while kept != nil, MonotonicClock.now() < end { await Task.yield() }
        #expect(held == nil)
        #expect(kept == nil)
    }

    @Test func `spinning finds work without being woken`() async throws {
        let spinner = try Reactor(name: "spinner", spinMicroseconds: 100_000_000)
        let seen = Collector<Int>()
        spinner.post { seen.append(0) }
        _ = await seen.wait(for: 1)
        let before = spinner.statistics.wakeups
        for value in 1...50 {
            spinner.post { seen.append(value) }
            _ = await seen.wait(for: value + 1)
        }
        #expect(spinner.statistics.wakeups - before <= 1)
        spinner.stop()
        await spinner.waitUntilStopped()
    }

    @Test func `a socket dropped elsewhere is closed by the reactor`() async throws {
        let context = try Context()
        let endpoint = temporaryIPC()
        let reactor = reactor
        var server: Server? = try Server(context, reactor: reactor)
        try await server?.start(at: endpoint)
        server = nil
        // The path is free again when the close has run, which the posted body follows.
        let closed = Collector<Int>()
        reactor.post { closed.append(1) }
        _ = await closed.wait(for: 1)
        let next = try Server(context, reactor: reactor)
        try await next.start(at: endpoint)
        reactor.stop()
    }

    @Test func `a cancelled registration is silent`() async throws {
        let context = try Context()
        let server = try Server(context, reactor: reactor)
        try await server.start(at: .inproc(name: "silent"))
        var dealer = try DealerSocket(context, routingID: .fresh())
        try dealer.connect(.inproc(name: "silent"))
        #expect(dealer.sendAll([1]) == .sent)
        _ = await server.seen.wait(for: 1)
        await server.cancel()
        let before = reactor.statistics.turns
        #expect(dealer.sendAll([2]) == .sent)
        let turned = Collector<Int>()
        reactor.post { turned.append(1) }
        _ = await turned.wait(for: 1)
        #expect(reactor.statistics.turns >= before)
        #expect(server.seen.values == [1])
        reactor.stop()
    }
}

private actor Server {
    nonisolated let reactor: Reactor
    nonisolated let seen = Collector<UInt8>()
    private var router: RouterSocket
    private var registration: Registration?

    nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.executor }

    init(_ context: Context, reactor: Reactor) throws(TransportError) {
        self.reactor = reactor
        router = try RouterSocket(context)
    }

    func start(at endpoint: Endpoint) throws(TransportError) {
        try router.bind(endpoint)
        registration = reactor.register(router) { [weak self] in self?.assumeIsolated { $0.drain() } }
    }

    func cancel() { registration?.cancel() }

    private func drain() {
        do {
            while let frame = try router.receive() { seen.append(frame.message.bytes[0]) }
        } catch {
            Issue.record(error)
        }
    }
}
