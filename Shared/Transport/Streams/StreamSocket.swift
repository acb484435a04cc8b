import CLinux
import Glibc
import ZMTP

/// A router or a dealer over plain TCP or Unix sockets that speaks ZMTP 3.1 itself, on its owner's thread: a frame goes
/// out with one system call and comes in with one, where libzmq wakes a thread of its own on either side.
///
/// The order of a turn: ``gather()`` takes what the kernel announces, `nextEvent` and `receive` hand it on, ``flush()``
/// sends what was sent meanwhile, in one write for each connection.
final class StreamSocket: LinkSocket {
    enum Kind {
        case router
        case dealer(PeerID)
    }

    let kind: Kind
    let options: SocketOptions
    var reactor: Reactor?
    var isPolled = false
    private(set) var isClosed = false

    var poller: Poller
    let timer: TimerSignal
    /// The time that the timer is set to.
    private var armed = UInt64.max
    var nextBeat = UInt64.max

    var listeners: [StreamListener] = []
    var connections: [StreamConnection?] = []
    var freeSlots: [Int] = []
    /// The connection, when there is exactly one.
    var onlyConnection: StreamConnection?
    private var glances = 0
    var peers: [UInt64: StreamConnection] = [:]
    private var ready = ConnectionQueue()
    private var dirty: [StreamConnection] = []
    /// Empty between flushes: keeps its memory for the next.
    private var flushing: [StreamConnection] = []
    private var events = StreamEvents()
    var refusals = ConnectionRefusals()
    /// What a router's connections come to.
    var census: ConnectionCensus
    /// Connections that were accepted since the socket was made.
    var accepted: UInt64 = 0

    var dial: StreamDial?
    var random = SystemRandomNumberGenerator()

    /// Bytes to send that do not wait for the turn's end.
    private static let eagerFlush = 256 << 10

    /// Turns in a row in which the only connection is read without asking what is announced: time and newcomers wait
    /// no longer than that.
    private static let glancesInARow = 16

    static let timerToken = UInt64.max
    static let listenerTokens: UInt64 = 1 << 32

    init(_ kind: Kind, options: SocketOptions) throws(TransportError) {
        self.kind = kind
        self.options = options
        census = ConnectionCensus(options.limits)
        poller = try Poller()
        timer = try TimerSignal()
        try poller.add(timer.descriptor, token: Self.timerToken, .reading)
    }

    deinit { close() }

    func close() {
        leaveReactor()
        guard !isClosed else { return }
        flush()
        isClosed = true
        for case let connection? in connections { connection.close() }
        for listener in listeners { listener.close() }
        connections = []
        onlyConnection = nil
        listeners = []
        peers = [:]
        ready = ConnectionQueue()
        dirty = []
        dial = nil
    }

    var isRouter: Bool {
        if case .router = kind { true } else { false }
    }

    // MARK: What the reactor asks

    var descriptors: (frames: Int32?, events: Int32?) { (isClosed ? nil : poller.descriptor, nil) }

    func isHolding() -> Bool { !ready.isEmpty || !events.isEmpty }

    func look(framesAnnounced: Bool, eventsAnnounced: Bool) -> (frames: Bool, events: Bool) {
        if framesAnnounced, !glance() { gather() }
        return (!ready.isEmpty, !events.isEmpty)
    }

    func wait(milliseconds: Int) throws(TransportError) -> Bool {
        let end = milliseconds < 0 ? UInt64.max : MonotonicClock.now() + UInt64(milliseconds) * 1_000_000
        while !isHolding() {
            let now = MonotonicClock.now()
            let left = milliseconds < 0 ? -1 : Int((max(end, now) - now + 999_999) / 1_000_000)
            let isAnnounced = try poller.wait(milliseconds: left)
            if isAnnounced { gather() } else if now >= end { return false }
        }
        return true
    }

    // MARK: What comes in

    /// Takes what the kernel has announced: connections, handshakes, bytes, room to send, and the time.
    func gather() {
        guard !isClosed else { return }
        for index in 0..<poller.look() {
            let (token, what) = poller[index]
            if token == Self.timerToken {
                timer.lower()
                armed = .max
                timePassed(MonotonicClock.now())
            } else if token >= Self.listenerTokens {
                accept(at: Int(token - Self.listenerTokens))
            } else if let connection = connections[Int(token)] {
                attend(to: connection, what)
            }
        }
    }

    /// Reads the only connection there is, which is most likely what was announced, and saves a system call if it was.
    private func glance() -> Bool {
        guard let connection = onlyConnection, glances < Self.glancesInARow, connection.isOpen, !connection.isQueued,
            !connection.isBlocked, fill(connection)
        else {
            glances = 0
            return false
        }
        glances += 1
        queue(connection)
        return true
    }

    private func attend(to connection: StreamConnection, _ what: Poller.Interest) {
        if case .connecting = connection.phase {
            let code = connection.connectError()
            return code == 0 ? begin(connection) : lose(connection)
        }
        if what.contains(.writing), connection.isBlocked {
            connection.isBlocked = false
            poller.change(connection.descriptor, token: UInt64(connection.slot), .reading)
            write(connection)
        }
        guard !connection.isClosed, !what.isDisjoint(with: [.reading, .hangup]) else { return }
        if connection.isQueued {
            // What it has is taken first, and then what came.
            connection.mayHaveMore = true
        } else if fill(connection) {
            if case .greeting(let handshake) = connection.phase {
                shake(connection, handshake)
            } else {
                queue(connection)
            }
        }
    }

    func queue(_ connection: StreamConnection) {
        guard !connection.isQueued else { return }
        connection.isQueued = true
        ready.append(connection)
    }

    /// Reads once; false if nothing came, or the connection is gone.
    private func fill(_ connection: StreamConnection) -> Bool {
        connection.mayHaveMore = false
        switch connection.received.read(from: connection.descriptor) {
        case .some(let isFull):
            connection.mayHaveMore = isFull
            connection.liveness.isHeard = true
            return true
        case .nothing:
            return false
        case .ended:
            lose(connection, .noDetail(EPIPE))
        case .failed(let code):
            lose(connection, .noDetail(code))
        }
        return false
    }

    func receive(counting counters: inout SocketCounters) throws(TransportError) -> RoutedMessage? {
        guard !isClosed else { throw .system(operation: "receive from", subject: "socket", code: ENOTSOCK) }
        if ready.isEmpty, !isPolled { gather() }
        var passedOver = 0
        while passedOver < Self.refusalsPerReceive, let connection = ready.first {
            guard let head = nextFrame(of: connection) else {
                advance(past: connection)
                continue
            }
            connection.received.skip(head.headLength)
            connection.begunAt = 0
            // Commands and parts count too, or a peer that sends nothing else would keep the thread.
            passedOver += 1
            if head.isCommand {
                obey(connection, head)
            } else if head.hasMore || connection.isMidMessage {
                connection.received.skip(head.bodyLength)
                if !head.hasMore { counters.malformed += 1 }
                connection.isMidMessage = head.hasMore
            } else if isRouter, connection.peer == nil {
                connection.received.skip(head.bodyLength)
                counters.foreignPeers += 1
            } else {
                counters.received += 1
                let peer = connection.peer ?? PeerID(raw: 0)
                return RoutedMessage(peer: peer, message: connection.received.take(head.bodyLength))
            }
        }
        return nil
    }

    /// The connection in front has no whole frame: reads on, or lets the next one come.
    private func advance(past connection: StreamConnection) {
        let hasMore = !connection.isClosed && connection.mayHaveMore && fill(connection)
        ready.removeFirst()
        // Behind the others, so that who sends without end stops nobody.
        if hasMore { ready.append(connection) } else { connection.isQueued = false }
        countBegun(connection)
    }

    /// The next frame, if all of it is there.
    private func nextFrame(of connection: StreamConnection) -> FrameHead? {
        guard !connection.isClosed else { return nil }
        do throws(ZMTPError) {
            let limit =
                connection.standing?.isStranger == true
                ? census.limits.strangerFrameBytes : Int(options.maximumMessageBytes)
            guard let head = try FrameHead(connection.received.unread, limit: limit),
                connection.received.count >= head.length
            else { return nil }
            return head
        } catch {
            end(connection, countedAs: \.malformed)
            return nil
        }
    }

    private func obey(_ connection: StreamConnection, _ head: FrameHead) {
        do throws(ZMTPError) {
            let command = try Command(connection.received.unread.extracting(..<head.bodyLength))
            connection.received.skip(head.bodyLength)
            switch command {
            case .ping(let timeToLive, let context):
                connection.liveness.timeToLive = timeToLive > 0 ? Int(timeToLive) * 100 : nil
                // Who asks and never reads the answers gets none beyond the mark.
                guard connection.unsent.frames < Int(options.sendHighWater) else { return }
                say(.pong(context: context), to: connection)
            case .error:
                refusals.malformed += 1
                lose(connection, isRefusal: true)
            case .ready, .pong, .other: break
            }
        } catch {
            end(connection, countedAs: \.malformed)
        }
    }

    // MARK: What goes out

    func send(_ bytes: Span<UInt8>, to peer: PeerID?) -> SendOutcome {
        guard !isClosed else { return .failed(ENOTSOCK) }
        guard let connection = peer.map({ peers[$0.raw] }) ?? dialled else { return .unreachable }
        guard connection.unsent.frames < Int(options.sendHighWater) else { return .wouldBlock }
        connection.unsent.append(message: bytes)
        soil(connection)
        return connection.isClosed ? .unreachable : .sent
    }

    /// The dealer's connection, if its handshake is done and its owner knows.
    private var dialled: StreamConnection? {
        guard isEstablished, let connection = dial?.connection, connection.isOpen else { return nil }
        return connection
    }

    func say(_ command: Command, to connection: StreamConnection) {
        connection.unsent.append(framed: command.frame)
        soil(connection)
    }

    /// Something is to be sent: now if nobody flushes, or it is much already.
    private func soil(_ connection: StreamConnection) {
        guard !connection.isBlocked else { return countUnsent(connection) }
        if !isPolled || connection.unsent.count >= Self.eagerFlush {
            write(connection)
        } else {
            countUnsent(connection)
            guard !connection.isDirty, !connection.isClosed else { return }
            connection.isDirty = true
            dirty.append(connection)
        }
    }

    func flush() {
        guard !dirty.isEmpty else { return }
        swap(&dirty, &flushing)
        for connection in flushing {
            connection.isDirty = false
            if !connection.isClosed, !connection.isBlocked { write(connection) }
        }
        flushing.removeAll(keepingCapacity: true)
    }

    func write(_ connection: StreamConnection) {
        defer { countUnsent(connection) }
        switch connection.unsent.write(to: connection.descriptor) {
        case .done: break
        case .blocked:
            connection.isBlocked = true
            poller.change(connection.descriptor, token: UInt64(connection.slot), [.reading, .writing])
        case .failed(let code):
            lose(connection, .noDetail(code))
        }
    }

    // MARK: Events

    func report(_ kind: MonitorEvent.Kind, _ endpoint: Endpoint) {
        if isRouter, !options.monitored { return }
        events.append(MonitorEvent(kind: kind, endpoint: endpoint.description))
    }

    var isEstablished: Bool { events.isEstablished }

    func nextEvent() throws(TransportError) -> MonitorEvent? {
        if events.isEmpty, !isPolled { gather() }
        return events.popFirst()
    }

    func forgetHandshake() { events.forgetHandshake() }

    // MARK: Time

    /// Has the timer go off at this time, if it would later.
    func arm(_ time: UInt64) {
        guard time < armed else { return }
        armed = time
        timer.set(time)
    }
}

extension HandshakeFailure {
    init(_ error: ZMTPError) {
        // An authenticator's verdict is its status.
        if case .refused(let reason) = error, let status = Int32(reason) {
            self = .refused(status)
        } else {
            self = .malformed("\(error)")
        }
    }
}
