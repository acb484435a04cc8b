import AdminDoor
import DequeModule
import Logging
import NIOCore
import Telemetry

/// What the connections of a door share. Confined to the event loop of them all.
final class DoorServer {
    let configuration: DoorConfiguration
    let backend: any CompletionBackend
    let admin: AdminRoutes
    let gate: RequestGate
    let loop: any EventLoop
    var metrics: DoorMetrics
    let outbox: DoorOutbox

    // Memory that is used for one write after the other: whoever fills it writes it before anybody else runs.
    var batch = DoorStream.Batch()
    var payload = ByteBuffer()
    private var output = ByteBuffer()

    private var connections: [ObjectIdentifier: DoorConnection] = [:]
    private var streams: [UInt64: DoorConnection] = [:]
    private var news: [DoorStream] = []
    private var lastStream: UInt64 = 0
    private var lastDate = HTTPDate(seconds: 0)
    private let observer: DoorStream.Observer
    private let stopped: EventLoopPromise<Void>
    private var listener: (any Channel)?
    private(set) var isStopping = false
    private var stopsAt = NIODeadline.distantFuture
    private var sweeping: Scheduled<Void>?
    private let logger: Logger
    private var loggedFields: Set<String> = []
    /// Bytes of bodies that connections hold.
    var heldBodies = 0
    /// Connections in the order in which they came, those that have shown a key since then among them.
    private var arrivals: Deque<DoorConnection> = []
    /// Told when a place may have become free.
    var onRoom: (() -> Void)?

    init(
        _ configuration: DoorConfiguration, backend: any CompletionBackend, metrics registry: MetricsRegistry,
        logger: Logger, on loop: any EventLoop
    ) {
        self.configuration = configuration
        self.backend = backend
        self.loop = loop
        self.logger = logger
        gate = RequestGate(configuration)
        admin = AdminRoutes(metrics: registry) { await backend.probe() }
        let metrics = DoorMetrics(registry)
        self.metrics = metrics
        let outbox = DoorOutbox(loop)
        self.outbox = outbox
        stopped = loop.makePromise()
        let clientsLeft = metrics.clientsLeft
        observer = DoorStream.Observer(
            onNews: { outbox.list($0) },
            onCancel: { stream in
                clientsLeft.increment()
                backend.cancel(stream)
            })
        let bound = NIOLoopBound(self, eventLoop: loop)
        outbox.setLook { bound.value.look() }
    }

    // MARK: Streams

    func makeStream(for connection: DoorConnection, isHeld: Bool) -> DoorStream {
        lastStream += 1
        streams[lastStream] = connection
        return DoorStream(number: lastStream, isHeld: isHeld, observer: observer)
    }

    func forget(_ stream: DoorStream) {
        streams[stream.number] = nil
    }

    private func look() {
        var news = news
        self.news = []
        outbox.take(&news)
        for stream in news { streams[stream.number]?.look(at: stream) }
        news.removeAll(keepingCapacity: true)
        self.news = news
    }

    // MARK: Writing

    /// Fills the memory that is written next.
    func write(_ fill: (inout ByteBuffer) -> Void) -> ByteBuffer {
        if output.capacity > 1 << 18 { output = ByteBuffer() }
        output.clear()
        fill(&output)
        return output
    }

    /// Seconds since 1970, and the text of the same second.
    var date: HTTPDate {
        let now = configuration.now()
        if now != lastDate.seconds { lastDate = HTTPDate(seconds: now) }
        return lastDate
    }

    // MARK: Fields

    /// Counts fields that nothing is done with; each name is logged once.
    func noteIgnored(_ fields: [String]) {
        metrics.ignoredFields.increment(by: UInt64(fields.count))
        guard loggedFields.count < Self.loggedFieldLimit else { return }
        for field in fields {
            // Those of all messages are one.
            let name = String(field.prefix(64).filter { !$0.isNumber })
            guard loggedFields.insert(name).inserted else { continue }
            logger.notice("HTTP door: a field is ignored", metadata: ["field": "\(field.prefix(64))"])
        }
    }

    private static var loggedFieldLimit: Int { 256 }

    // MARK: Connections

    var hasKeys: Bool { configuration.keys != nil }

    /// Whether another connection may be accepted now. Where there are keys, those that have shown none give way.
    func makeRoom(open: Int) -> Bool {
        guard hasKeys else { return open < configuration.maximumConnections }
        if arrivals.count > 2 * connections.count + 64 { arrivals.removeAll { !$0.isStranger } }
        while let oldest = arrivals.first, oldest.isKnown || oldest.phase == .closed { arrivals.removeFirst() }
        guard open >= configuration.maximumConnections || arrivals.count >= configuration.maximumStrangers else {
            return true
        }
        // One that has just come may still be about to show its key.
        guard let index = arrivals.prefix(64).firstIndex(where: \.isStranger),
            NIODeadline.now() - arrivals[index].openedAt >= .seconds(1)
        else { return arrivals.count < configuration.maximumStrangers && open < configuration.maximumConnections }
        let stranger = arrivals.remove(at: index)
        metrics.turnedAway.increment()
        stranger.abort()
        return true
    }

    /// Begins to hold connections to their times.
    func startSweeping() {
        sweeping = loop.assumeIsolated().scheduleTask(in: TimeAmount(configuration.sweepInterval)) { [weak self] in
            self?.sweep()
        }
    }

    private func sweep() {
        let now = NIODeadline.now()
        if now >= stopsAt { return abort() }
        for connection in connections.values { connection.sweep(now) }
        onRoom?()
        if !isStopping || !connections.isEmpty { startSweeping() }
    }

    func add(_ connection: DoorConnection) {
        connections[ObjectIdentifier(connection)] = connection
        if hasKeys { arrivals.append(connection) }
        if isStopping { connection.stop() }
    }

    func remove(_ connection: DoorConnection) {
        connections[ObjectIdentifier(connection)] = nil
        endIfStopped()
    }

    // MARK: Listening

    func listen(on channel: any Channel) {
        listener = channel
        if isStopping { channel.close(promise: nil) }
    }

    /// Takes no more connections, and ends those there are after what they have in the works.
    func stop() {
        guard !isStopping else { return }
        isStopping = true
        stopsAt = .now() + TimeAmount(configuration.stopTimeout)
        listener?.close(promise: nil)
        for connection in connections.values { connection.stop() }
        endIfStopped()
    }

    /// Ends all connections at once.
    func abort() {
        isStopping = true
        listener?.close(promise: nil)
        for connection in connections.values { connection.abort() }
        endIfStopped()
    }

    /// Completes when the server has stopped.
    var end: EventLoopFuture<Void> { stopped.futureResult }

    private func endIfStopped() {
        guard isStopping, connections.isEmpty else { return }
        // It holds this object.
        outbox.setLook(nil)
        sweeping?.cancel()
        sweeping = nil
        onRoom = nil
        stopped.succeed()
    }
}
