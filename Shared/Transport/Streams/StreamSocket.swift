import CLinux
import DequeModule
import Glibc
import ZMTP

/// A router or a dealer over plain TCP or Unix sockets that speaks ZMTP 3.1 itself, on its owner's thread: a frame goes
/// out with one system call and comes in with one, where libzmq wakes a thread of its own on either side.
///
/// The order of a turn: ``announced(_:at:)`` takes what the kernel has, `nextEvent` and `receive` hand it on, ``flush()``
/// sends what was sent meanwhile, in one write for each connection. Without a reactor whoever looks does all of it.
final class StreamSocket: LinkSocket {
    enum Kind {
        case router
        case dealer(PeerID)
    }

    let kind: Kind
    let options: SocketOptions
    let tally: SocketTally
    var registration: Registration?
    private(set) var isClosed = false

    /// The reactor's, or one of its own once somebody looks without a reactor; nil before.
    private(set) var poller: Poller?
    /// Not after whatever of its own time is due first.
    var dueAt = UInt64.max
    var nextBeat = UInt64.max

    var listeners: [StreamListener] = []
    var connections: [StreamConnection?] = []
    var freeSlots: [Int] = []
    var peers: [UInt64: StreamConnection] = [:]
    /// Connections that may have frames, first come first served.
    private var ready: Deque<StreamConnection> = []
    private var dirty: [StreamConnection] = []
    /// Empty between flushes: keeps its memory for the next.
    private var flushing: [StreamConnection] = []
    /// Whether a frame is lent: until it is back nothing is read, which could move it.
    private var isLending = false
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

    /// Connections have their slots as tags, listeners the numbers from here on downwards.
    static let listenerTag = -1

    init(_ kind: Kind, options: SocketOptions, tally: SocketTally = SocketTally()) {
        self.kind = kind
        self.options = options
        self.tally = tally
        census = ConnectionCensus(options.limits)
    }

    deinit { close() }

    func close() {
        registration?.leave()
        guard !isClosed else { return }
        flush()
        watch(by: nil)
        isClosed = true
        for case let connection? in connections { connection.close() }
        for listener in listeners { listener.close() }
        connections = []
        listeners = []
        peers = [:]
        ready = []
        dirty = []
        dial = nil
    }

    var isRouter: Bool {
        if case .router = kind { true } else { false }
    }

    // MARK: Who watches

    func watch(by next: Poller?) {
        for listener in listeners { unwatch(&listener.place) }
        for case let connection? in connections { unwatch(&connection.place) }
        poller = isClosed ? nil : next
        for index in listeners.indices where listeners[index].resumeAt == 0 { watchListener(at: index) }
        for case let connection? in connections where !watch(connection) { lose(connection) }
    }

    func unwatch(_ place: inout Poller.Place?) {
        if let place { poller?.remove(place) }
        place = nil
    }

    var held: (frames: Bool, events: Bool) { (!ready.isEmpty, !events.isEmpty) }

    func isHolding() -> Bool { !ready.isEmpty || !events.isEmpty }

    func wait(milliseconds: Int) throws(TransportError) -> Bool {
        let start = MonotonicClock.now()
        let end = milliseconds < 0 ? UInt64.max : start + UInt64(milliseconds) * 1_000_000
        var now = start
        while !isHolding() {
            guard now < end || now == start, !isClosed, !isPolled else { return false }
            try gather(until: end)
            now = MonotonicClock.now()
        }
        return true
    }

    /// Without a reactor: does what one would do, and waits for it until a time, or until something is due.
    func gather(until end: UInt64 = 0) throws(TransportError) {
        guard !isClosed, !isPolled, !isLending else { return }
        if poller == nil { watch(by: try Poller()) }
        let (now, next) = (MonotonicClock.now(), min(end, dueAt))
        poller?.wait(milliseconds: next == .max ? -1 : next <= now ? 0 : Int((next - now - 1) / 1_000_000) + 1)
        poller?.announce()
        let then = MonotonicClock.now()
        if then >= dueAt { timePassed(then) }
    }

    // MARK: What comes in

    /// Takes what the kernel has announced: connections, handshakes, bytes, room to send.
    func announced(_ what: Poller.Interest, at tag: Int) {
        if tag <= Self.listenerTag {
            accept(at: Self.listenerTag - tag)
        } else if let connection = connections[tag] {
            attend(to: connection, what)
        }
    }

    private func attend(to connection: StreamConnection, _ what: Poller.Interest) {
        if case .connecting = connection.phase {
            let code = connection.connectError()
            return code == 0 ? begin(connection) : lose(connection)
        }
        if what.contains(.writing), connection.isBlocked {
            connection.isBlocked = false
            watchAgain(connection)
            write(connection)
        }
        guard !connection.isClosed, !what.isDisjoint(with: [.reading, .hangup]) else { return }
        if connection.isQueued {
            // What it has is taken first, and then what came.
            connection.mayHaveMore = true
        } else if fill(connection) {
            if case .greeting(let handshake) = connection.phase {
                goOn(with: handshake, of: connection)
            } else {
                queue(connection)
            }
        }
    }

    func queue(_ connection: StreamConnection) {
        guard !connection.isQueued else { return }
        connection.isQueued = true
        ready.append(connection)
        hold()
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

    func receive(upTo limit: Int, _ body: (ReceivedFrame) -> Bool) throws(TransportError) {
        guard !isClosed else { throw .system(operation: "receive from", subject: "socket", code: ENOTSOCK) }
        guard !isLending else { return }
        if ready.isEmpty { try gather() }
        var (received, passedOver, isWanted) = (0, 0, limit > 0)
        while let connection = ready.first {
            // Nothing is read before its whole frames are handed on, so they stay where they are.
            let chunk = connection.received.chunk
            isLending = true
            while isWanted, received < limit, let count = nextMessage(of: connection, &passedOver) {
                let offset = connection.received.start
                connection.received.skip(count)
                received += 1
                let bytes = chunk.bytes(at: offset, count: count)
                isWanted = body(ReceivedFrame(peer: connection.peer ?? PeerID(raw: 0), bytes: bytes))
            }
            isLending = false
            guard isWanted, received < limit, passedOver < Self.refusalsPerReceive else { return }
            // Unless the socket was closed meanwhile.
            if ready.first === connection { advance(past: connection) }
        }
    }

    /// How long the next message of one frame is that the connection has, and which then stands first in what it has
    /// received; nil if there is none, or too much had to be passed over.
    private func nextMessage(of connection: StreamConnection, _ passedOver: inout Int) -> Int? {
        while passedOver < Self.refusalsPerReceive, let head = nextFrame(of: connection) {
            connection.received.skip(head.headLength)
            connection.begunAt = 0
            if !head.isCommand, !head.hasMore, !connection.isMidMessage, !isRouter || connection.peer != nil {
                tally.counters.received += 1
                return head.bodyLength
            }
            // Commands and parts count too, or a peer that sends nothing else would keep the thread.
            passedOver += 1
            if head.isCommand {
                takeCommand(of: connection, head)
                continue
            }
            connection.received.skip(head.bodyLength)
            if head.hasMore || connection.isMidMessage {
                if !head.hasMore { tally.counters.malformed += 1 }
                connection.isMidMessage = head.hasMore
            } else {
                tally.counters.foreignPeers += 1
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

    /// Takes the command of ZMTP that stands first in what the connection has received.
    private func takeCommand(of connection: StreamConnection, _ head: FrameHead) {
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
        willSend(connection)
        return connection.isClosed ? .unreachable : .sent
    }

    /// The dealer's connection, if its handshake is done and its owner knows.
    private var dialled: StreamConnection? {
        guard isEstablished, let connection = dial?.connection, connection.isOpen else { return nil }
        return connection
    }

    func say(_ command: Command, to connection: StreamConnection) {
        connection.unsent.append(framed: command.frame)
        willSend(connection)
    }

    /// Something is to be sent: now if nobody flushes, or it is much already.
    private func willSend(_ connection: StreamConnection) {
        guard !connection.isBlocked else { return countUnsent(connection) }
        if !isPolled || connection.unsent.count >= Self.eagerFlush {
            write(connection)
        } else {
            countUnsent(connection)
            guard !connection.isDirty, !connection.isClosed else { return }
            connection.isDirty = true
            if dirty.isEmpty, let registration { registration.loop.willFlush(registration) }
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
            watchAgain(connection)
        case .failed(let code):
            lose(connection, .noDetail(code))
        }
    }

    // MARK: Events

    func report(_ kind: MonitorEvent.Kind, _ endpoint: Endpoint) {
        if isRouter, !options.monitored { return }
        events.append(MonitorEvent(kind: kind, endpoint: endpoint.description))
        hold()
    }

    var isEstablished: Bool { events.isEstablished }

    func nextEvent() throws(TransportError) -> MonitorEvent? {
        if events.isEmpty { try gather() }
        return events.popFirst()
    }

    func forgetHandshake() { events.forgetHandshake() }

    // MARK: Time

    /// Something of its own is due at this time.
    func arm(_ time: UInt64) {
        guard time < dueAt else { return }
        dueAt = time
        registration?.loop.arm(time)
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
