import Line
import Station
import Transport
import Wire

/// The ZeroMQ door: many requests share a few connections.
public actor LineDoor: LoadDoor {
    private let name: String
    private let key: String
    private let timeout: UInt64
    private let context: Context
    private let reactor: Reactor
    private let connections: [LineConnection]
    private var next = 0
    /// Those who wait for a connection.
    private var waiters: [CheckedContinuation<Void, Never>] = []
    private var beganAt: UInt64 = 0
    private var isClosed = false

    public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe reactor.asUnownedSerialExecutor() }

    /// Begins to connect.
    ///
    /// - Parameters:
    ///   - address: for instance `tcp://127.0.0.1:7700`; a host name is resolved, once.
    ///   - connections: how many to make.
    ///   - timeout: seconds of silence after which a request is given up.
    public static func connect(
        to address: String, key: String?, connections: Int, timeout: Double
    ) async throws(LoadError) -> LineDoor {
        let door: LineDoor
        do throws(TransportError) {
            let endpoint = try await Resolver().resolve(Endpoint(address)).first
            guard let endpoint else { throw TransportError.malformedEndpoint(text: address, reason: "has no address") }
            door = try LineDoor(endpoint, key: key ?? "", connections: connections, timeout: timeout)
        } catch {
            throw .unreachable(door: address, reason: "\(error)")
        }
        await door.attach()
        return door
    }

    private init(
        _ endpoint: Endpoint, key: String, connections: Int, timeout: Double
    ) throws(TransportError) {
        name = endpoint.description
        self.key = key
        self.timeout = UInt64(timeout * 1e9)
        context = try Context()
        let reactor = try Reactor(name: "loadgen")
        self.reactor = reactor
        var made: [LineConnection] = []
        for number in 0..<max(1, connections) {
            let side = DialSide(role: .client, epoch: UInt64.random(in: 1...UInt64.max), name: "loadgen-\(number)")
            made.append(LineConnection(LowerLinks(context, reactor: reactor, targets: [endpoint], side: side)))
        }
        self.connections = made
    }

    public func servedModel() async throws(LoadError) -> String {
        await connected()
        guard let connection = connections.first(where: { $0.session != nil }) else {
            throw .unreachable(door: name, reason: "no session within \(Self.patience / 1_000_000_000) s")
        }
        guard !connection.model.isEmpty else { throw .noModel(door: name) }
        return connection.model
    }

    public func perform(_ request: LoadRequest) async -> LoadOutcome {
        var outcome = LoadOutcome(index: request.index, id: request.id)
        await connected()
        guard let connection = pick() else {
            outcome.sentAt = MonotonicClock.now()
            outcome.endedAt = outcome.sentAt
            outcome.error = "no session with \(name)"
            return outcome
        }
        return await withCheckedContinuation { continuation in
            connection.submit(request, outcome, key: key, deadline: timeout, continuation)
            perform(connection)
        }
    }

    public func close() async {
        isClosed = true
        for connection in connections {
            connection.fail("closed")
            connection.links.close()
        }
        reactor.stop()
    }

    /// How long to wait for the first session.
    private static let patience: UInt64 = 10_000_000_000

    /// Returns when there is a session, or no hope of one.
    private func connected() async {
        guard !isClosed, !connections.contains(where: { $0.session != nil }),
            MonotonicClock.now() < beganAt + Self.patience
        else { return }
        await withCheckedContinuation { waiters.append($0) }
    }

    private func attach() {
        beganAt = MonotonicClock.now()
        for index in connections.indices {
            connections[index].links.attach(
                onReadable: { [weak self] link in self?.assumeIsolated { $0.drain(index, link) } },
                onMonitor: { [weak self] link, event in self?.assumeIsolated { $0.handle(event, index, link) } })
        }
        reactor.setTick(every: 20_000_000) { [weak self] in self?.assumeIsolated { $0.tick() } }
    }

    private func handle(_ event: MonitorEvent, _ index: Int, _ link: UInt32) {
        connections[index].links.handle(event, on: link, now: MonotonicClock.now())
        perform(connections[index])
    }

    private func drain(_ index: Int, _ link: UInt32) {
        connections[index].drain(link)
        perform(connections[index])
    }

    private func tick() {
        let now = MonotonicClock.now()
        for connection in connections {
            connection.links.side.tick(now)
            connection.giveUp(now)
            perform(connection)
        }
        if now >= beganAt + Self.patience { wakeAll() }
    }

    private func perform(_ connection: LineConnection) {
        connection.perform()
        if connection.session != nil { wakeAll() }
    }

    private func wakeAll() {
        for waiter in waiters { waiter.resume() }
        waiters = []
    }

    /// The connections take turns.
    private func pick() -> LineConnection? {
        for _ in connections {
            next = (next + 1) % connections.count
            if connections[next].session != nil { return connections[next] }
        }
        return nil
    }
}
