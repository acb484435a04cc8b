import AdminDoor
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

    init(
        _ configuration: DoorConfiguration, backend: any CompletionBackend, metrics registry: MetricsRegistry,
        on loop: any EventLoop
    ) {
        self.configuration = configuration
        self.backend = backend
        self.loop = loop
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

    func makeStream(for connection: DoorConnection) -> DoorStream {
        lastStream += 1
        streams[lastStream] = connection
        return DoorStream(number: lastStream, observer: observer)
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

    // MARK: Connections

    func add(_ connection: DoorConnection) {
        connections[ObjectIdentifier(connection)] = connection
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
        stopped.succeed()
    }
}
