import Testing

@testable import Transport

/// The form of every service: sockets stored in an actor whose executor is the reactor.
private actor EchoService {
    nonisolated let reactor: Reactor
    private var router: RouterSocket
    private(set) var echoed = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.executor }

    init(_ context: Context, reactor: Reactor) throws(TransportError) {
        self.reactor = reactor
        router = try RouterSocket(context)
    }

    func start(at endpoint: Endpoint) throws(TransportError) -> Endpoint {
        let bound = try router.bind(endpoint)
        reactor.register(router) { [weak self] in self?.assumeIsolated { $0.drain() } }
        return bound
    }

    private func drain() {
        do {
            for _ in 0..<Reactor.receivesPerTurn {
                guard let frame = try router.receive() else { return }
                let bytes = frame.message.bytes
                if router.send(bytes, to: frame.peer) == .sent { echoed += 1 }
            }
        } catch {
            Issue.record(error)
        }
    }
}

/// A varying number of dealers in an actor.
private actor Callers {
    nonisolated let reactor: Reactor
    private let context: Context
    private var links: [UInt32: DealerLink] = [:]
    private let answers: Collector<[UInt8]>
    private let up: Collector<UInt32>

    nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.executor }

    init(_ context: Context, reactor: Reactor, answers: Collector<[UInt8]>, up: Collector<UInt32>) {
        self.context = context
        self.reactor = reactor
        self.answers = answers
        self.up = up
    }

    func dial(_ id: UInt32, _ endpoint: Endpoint) throws(TransportError) {
        let link = try DealerLink(context, routingID: .fresh(), to: endpoint)
        links[id] = link
        link.attach(
            to: reactor,
            onReadable: { [weak self] in self?.assumeIsolated { $0.drain(id) } },
            onMonitor: { [weak self] event in self?.assumeIsolated { $0.changed(id, event) } })
    }

    func hangUp(_ id: UInt32) { links.removeValue(forKey: id)?.close() }

    func call(_ id: UInt32, _ bytes: [UInt8]) -> SendOutcome? { links[id]?.send(bytes.span) }

    private func changed(_ id: UInt32, _ event: MonitorEvent) {
        if event.kind == .handshakeSucceeded { up.append(id) }
    }

    private func drain(_ id: UInt32) {
        do {
            while let message = try links[id]?.receive() { answers.append(message.bytes.array) }
        } catch {
            Issue.record(error)
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct ActorTests {
    @Test(arguments: [Endpoint.tcp(host: "127.0.0.1", port: 0), temporaryIPC()])
    func `an actor owns its sockets and answers on the reactor's thread`(endpoint: Endpoint) async throws {
        let context = try Context()
        let upper = try Reactor(name: "upper")
        let lower = try Reactor(name: "lower")
        let service = try EchoService(context, reactor: upper)
        let bound = try await service.start(at: endpoint)

        let answers = Collector<[UInt8]>()
        let up = Collector<UInt32>()
        let callers = Callers(context, reactor: lower, answers: answers, up: up)
        for id in 1...3 { try await callers.dial(UInt32(id), bound) }
        #expect(await Set(up.wait(for: 3)) == [1, 2, 3])
        for id in 1...3 { #expect(await callers.call(UInt32(id), [UInt8(id)]) == .sent) }
        #expect(await Set(answers.wait(for: 3)) == [[1], [2], [3]])
        #expect(await service.echoed == 3)

        await callers.hangUp(2)
        #expect(await callers.call(2, [9]) == nil)
        #expect(await callers.call(1, [8]) == .sent)
        #expect(await answers.wait(for: 4).last == [8])

        for reactor in [upper, lower] {
            reactor.stop()
            await reactor.waitUntilStopped()
        }
    }

    @Test func `a busy socket leaves the actor's own jobs their turn`() async throws {
        let context = try Context()
        let reactor = try Reactor(name: "busy")
        let service = try EchoService(context, reactor: reactor)
        let bound = try await service.start(at: .inproc(name: "busy"))
        var dealer = try DealerSocket(context, routingID: .fresh())
        try dealer.connect(bound)
        let count = Reactor.receivesPerTurn * 4
        for _ in 0..<count { #expect(dealer.sendAll([1]) == .sent) }
        for _ in 0..<count { #expect(try dealer.awaitFrame() == [1]) }
        #expect(await service.echoed == count)
        reactor.stop()
    }
}
