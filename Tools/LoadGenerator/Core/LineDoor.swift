import Line
import Station
import Synchronization
import Transport
import Wire

/// The ZeroMQ door: many requests share a few connections.
///
/// All of it runs on one reactor thread: an answer's last row calls `ended`, and what that begins is sent at once.
public actor LineDoor: LoadDoor {
    private let name: String
    private let timeout: UInt64
    private let context: Context
    private let reactor: Reactor
    private let connections: [LineConnection]
    private let inbox = Mutex<[Order]>([])
    private var next = 0
    /// Requests that wait for the first session.
    private var parked: [Order] = []
    /// Requests that could not be sent, and why.
    private var unsent: [(Order, String)] = []
    /// Those who wait for a connection.
    private var waiters: [CheckedContinuation<Void, Never>] = []
    private var beganAt: UInt64 = 0
    private var isClosed = false

    private struct Order: Sendable {
        var request: LoadRequest
        var ended: LoadEnded
    }

    public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe reactor.asUnownedSerialExecutor() }

    /// Begins to connect.
    ///
    /// - Parameters:
    ///   - address: for instance `tcp://127.0.0.1:7700`; a host name is resolved, once.
    ///   - serverKey: the door's public CURVE key, in Z85; nil for a plain door.
    ///   - connections: how many to make.
    ///   - timeout: seconds of silence after which a request is given up.
    public static func connect(
        to address: String, key: String?, serverKey: String? = nil, connections: Int, timeout: Double
    ) async throws(LoadError) -> LineDoor {
        let door: LineDoor
        do throws(TransportError) {
            let endpoint = try await Resolver().resolve(Endpoint(address)).first
            guard let endpoint else { throw TransportError.malformedEndpoint(text: address, reason: "has no address") }
            door = try LineDoor(
                endpoint, key: key ?? "", security: .client(ofDoor: serverKey), connections: connections,
                timeout: timeout)
        } catch {
            throw .unreachable(door: address, reason: "\(error)")
        }
        await door.attach()
        return door
    }

    private init(
        _ endpoint: Endpoint, key: String, security: Security, connections: Int, timeout: Double
    ) throws(TransportError) {
        name = endpoint.description
        self.timeout = UInt64(timeout * 1e9)
        context = try Context()
        let reactor = try Reactor(name: "loadgen")
        self.reactor = reactor
        var made: [LineConnection] = []
        for number in 0..<max(1, connections) {
            var side = DialSide(role: .client, epoch: UInt64.random(in: 1...UInt64.max), name: "loadgen-\(number)")
            side.key = key
            let links = LowerLinks(context, reactor: reactor, targets: [endpoint], security: security, side: side)
            made.append(LineConnection(links, key: key))
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

    public nonisolated func begin(_ request: LoadRequest, ended: @escaping LoadEnded) {
        if reactor.isCurrent {
            assumeIsolated { $0.submit(request, ended) }
            return
        }
        let isFirst = inbox.withLock { inbox in
            inbox.append(Order(request: request, ended: ended))
            return inbox.count == 1
        }
        if isFirst { reactor.post { [self] in assumeIsolated { $0.takeOrders() } } }
    }

    public func close() async {
        isClosed = true
        for connection in connections {
            connection.fail("closed")
            connection.links.close()
        }
        flush()
        reactor.stop()
    }

    /// How long to wait for the first session.
    private static let patience: UInt64 = 10_000_000_000

    /// Whether there is a session, or no hope of one.
    private var isDecided: Bool {
        isClosed || connections.contains(where: { $0.session != nil })
            || MonotonicClock.now() >= beganAt + Self.patience
    }

    private func connected() async {
        if !isDecided { await withCheckedContinuation { waiters.append($0) } }
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

    private func takeOrders() {
        var orders: [Order] = []
        inbox.withLock { swap(&$0, &orders) }
        for order in orders { submit(order.request, order.ended) }
    }

    private func submit(_ request: LoadRequest, _ ended: @escaping LoadEnded) {
        guard let connection = pick() else {
            let order = Order(request: request, ended: ended)
            if isDecided { refuse(order, "no session with \(name)") } else { parked.append(order) }
            return
        }
        if let problem = connection.submit(request, ended) {
            refuse(Order(request: request, ended: ended), problem)
        }
    }

    /// Reports a request that was not sent, later: whoever hears of it may begin the next.
    private func refuse(_ order: Order, _ reason: String) {
        unsent.append((order, reason))
        if unsent.count == 1 { reactor.post { [self] in assumeIsolated { $0.flush() } } }
    }

    private func flush() {
        var failures: [(Order, String)] = []
        swap(&failures, &unsent)
        for (order, reason) in failures {
            var outcome = LoadOutcome(order.request)
            outcome.sentAt = max(outcome.intendedAt, MonotonicClock.now())
            outcome.endedAt = outcome.sentAt
            outcome.error = reason
            order.ended(outcome)
        }
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
            connection.giveUp(timeout, now: now)
            perform(connection)
        }
        if now >= beganAt + Self.patience { wakeAll() }
    }

    private func perform(_ connection: LineConnection) {
        connection.perform()
        if connection.session != nil { wakeAll() }
    }

    private func wakeAll() {
        guard !waiters.isEmpty || !parked.isEmpty else { return }
        for waiter in waiters { waiter.resume() }
        waiters = []
        var orders: [Order] = []
        swap(&orders, &parked)
        for order in orders { submit(order.request, order.ended) }
    }

    /// The connections take turns.
    private func pick() -> LineConnection? {
        for _ in connections {
            next += 1
            if next == connections.count { next = 0 }
            if connections[next].session != nil { return connections[next] }
        }
        return nil
    }
}
