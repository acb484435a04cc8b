import CZeroMQ

/// One libzmq socket and its monitor, for links with CURVE and within a process: all calls on libzmq's sockets are in
/// this file.
///
/// Invariants: `raw` and `monitor` are open sockets or nil.
@safe final class LibrarySocket: LinkSocket {
    let context: Context
    private(set) var raw: UnsafeMutableRawPointer?
    private(set) var monitor: UnsafeMutableRawPointer?
    /// Whether a dealer's handshake is done, as far as its monitor's events have been read.
    private(set) var isEstablished = false
    let tally: SocketTally
    var registration: Registration?
    private var poller: Poller?
    private var places: [Poller.Place] = []
    /// When to try again to have the descriptors watched.
    private(set) var dueAt = UInt64.max
    /// Counts a router's connections and ends those for which there is no place; nil on other sockets.
    private let gate: ConnectionGate?
    private var malformedHandshakes: UInt64 = 0

    /// Those of which events tell: libzmq keeps the others to itself.
    var refusals: ConnectionRefusals {
        var refusals = ConnectionRefusals()
        refusals.malformed = malformedHandshakes
        refusals.crowded = gate?.refused ?? 0
        refusals.unfinished = gate?.unfinished ?? 0
        return refusals
    }
    /// Whether the monitor may have events: its descriptor has announced some, or was not watched.
    private var mayHaveEvents = true { didSet { if mayHaveEvents { hold() } } }
    /// Reused for a router's routing frames: they fit inside, so receiving one allocates nothing.
    private var routing = LibraryMessage()
    private let isRouter: Bool
    /// Whether the socket may have a frame: its descriptor has announced something, or it was used since it was last found
    /// empty, and what a call on it has seen meanwhile its descriptor does not announce again (zmq_getsockopt(3), ZMQ_FD).
    private(set) var mayHold = true { didSet { if mayHold { hold() } } }

    init(
        _ context: Context, type: Int32, options: SocketOptions, gate: ConnectionGate? = nil,
        tally: SocketTally = SocketTally()
    ) throws(TransportError) {
        guard let raw = unsafe zmq_socket(context.raw, type) else { throw .last("create", "socket") }
        self.context = context
        self.gate = gate
        self.tally = tally
        isRouter = type == ZMQ_ROUTER
        unsafe self.raw = unsafe raw
        try set(ZMQ_LINGER, options.linger)
        try set(ZMQ_SNDHWM, options.sendHighWater)
        try set(ZMQ_RCVHWM, options.receiveHighWater)
        try setWide(ZMQ_MAXMSGSIZE, options.maximumMessageBytes)
        try set(ZMQ_HEARTBEAT_IVL, options.heartbeatInterval)
        try set(ZMQ_HEARTBEAT_TIMEOUT, options.heartbeatTimeout)
        try set(ZMQ_HEARTBEAT_TTL, options.heartbeatTimeToLive)
        try set(ZMQ_HANDSHAKE_IVL, isRouter ? options.limits.handshakeMilliseconds : options.handshakeTimeout)
        try set(ZMQ_TCP_KEEPALIVE, 1)
        try set(ZMQ_TCP_KEEPALIVE_IDLE, KeepAlive.idleSeconds)
        try set(ZMQ_TCP_KEEPALIVE_INTVL, KeepAlive.intervalSeconds)
        try set(ZMQ_TCP_KEEPALIVE_CNT, KeepAlive.count)
        try set(ZMQ_TCP_MAXRT, KeepAlive.milliseconds)
        try set(ZMQ_RECONNECT_IVL, options.reconnectInterval)
        try set(ZMQ_RECONNECT_IVL_MAX, options.reconnectMaximum)
    }

    deinit { close() }

    func close() {
        registration?.leave()
        gate?.close()
        guard let raw = unsafe raw else { return }
        // In this order: closing either socket of a running monitor can hang or abort libzmq's I/O thread.
        if let monitor = unsafe monitor {
            unsafe zmq_socket_monitor(raw, nil, 0)
            unsafe zmq_close(monitor)
        }
        unsafe zmq_close(raw)
        unsafe self.raw = nil
        unsafe self.monitor = nil
    }

    private var isClosed: Bool { unsafe raw == nil }

    func tend(_ now: UInt64) { gate?.tend(now) }

    func admit(_ peer: PeerID, source: Int32?) {
        if let source { gate?.makeKnown(source) }
    }

    // MARK: Options

    func set(_ option: Int32, _ value: Int32) throws(TransportError) {
        let result = unsafe withUnsafePointer(to: value) { value in unsafe zmq_setsockopt(raw, option, value, 4) }
        guard result == 0 else { throw .last("set option \(option) of", "socket") }
    }

    func setWide(_ option: Int32, _ value: Int64) throws(TransportError) {
        let result = unsafe withUnsafePointer(to: value) { value in unsafe zmq_setsockopt(raw, option, value, 8) }
        guard result == 0 else { throw .last("set option \(option) of", "socket") }
    }

    func set(_ option: Int32, _ value: PeerID) throws(TransportError) {
        let result = unsafe withUnsafePointer(to: value.raw.littleEndian) { value in
            unsafe zmq_setsockopt(raw, option, value, 8)
        }
        guard result == 0 else { throw .last("set routing id \(value) of", "socket") }
    }

    /// The value is not part of the error: it may be a secret.
    func set(_ option: Int32, _ value: String) throws(TransportError) {
        guard unsafe zmq_setsockopt(raw, option, value, value.utf8.count) == 0 else {
            throw .last("set option \(option) of", "socket")
        }
    }

    // MARK: Addresses

    /// Binds, and says where: the actual port if it was 0.
    func bind(_ endpoint: Endpoint) throws(TransportError) -> Endpoint {
        if endpoint.isIPv6 { try set(ZMQ_IPV6, 1) }
        guard unsafe zmq_bind(raw, endpoint.description) == 0 else { throw .last("bind", endpoint.description) }
        if case .inproc = endpoint { return endpoint }
        var text = [CChar](repeating: 0, count: 512)
        var count = text.count
        guard unsafe zmq_getsockopt(raw, ZMQ_LAST_ENDPOINT, &text, &count) == 0 else {
            throw .last("read the bound address of", endpoint.description)
        }
        return try Endpoint(String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }

    func connect(_ endpoint: Endpoint) throws(TransportError) {
        if endpoint.isIPv6 { try set(ZMQ_IPV6, 1) }
        guard unsafe zmq_connect(raw, endpoint.description) == 0 else { throw .last("connect", endpoint.description) }
        // There is no handshake and no monitor within a context.
        if case .inproc = endpoint { isEstablished = true }
    }

    func disconnect(_ endpoint: Endpoint) throws(TransportError) {
        guard unsafe zmq_disconnect(raw, endpoint.description) == 0 else {
            throw .last("disconnect", endpoint.description)
        }
        isEstablished = false
    }

    // MARK: Frames

    /// Takes one frame without waiting; false if there is none.
    func receive(into message: inout LibraryMessage) throws(TransportError) -> Bool {
        while true {
            let result = unsafe message.withHandle { message in unsafe zmq_msg_recv(message, raw, ZMQ_DONTWAIT) }
            mayHold = true
            if result >= 0 { return true }
            switch zmq_errno() {
            case EAGAIN:
                mayHold = false
                return false
            case EINTR: continue
            default: throw .last("receive from", "socket")
            }
        }
    }

    func receive(upTo limit: Int, _ body: (ReceivedFrame) -> Bool) throws(TransportError) {
        var (received, refused) = (0, 0)
        while received < limit, refused < Self.refusalsPerReceive {
            var peer: PeerID? = PeerID(raw: 0)
            var message = LibraryMessage()
            var isWhole = true
            if isRouter {
                guard try receive(into: &routing) else { return }
                peer = PeerID(routingFrame: routing.bytes)
                // The parts of one message arrive together.
                isWhole = routing.hasMore
                if isWhole { isWhole = try receive(into: &message) }
            } else {
                guard try receive(into: &message) else { return }
            }
            if message.hasMore { isWhole = false }
            while message.hasMore, try receive(into: &message) {}
            if isWhole, let peer {
                received += 1
                tally.counters.received += 1
                guard message.lend(from: peer, to: body) else { return }
            } else {
                refused += 1
                if isWhole { tally.counters.foreignPeers += 1 } else { tally.counters.malformed += 1 }
            }
        }
    }

    // MARK: What the reactor asks

    private static let framesTag = 0
    private static let eventsTag = 1
    /// Nanoseconds until the descriptors are tried again that could not be watched.
    private static let pause: UInt64 = 100_000_000

    func watch(by next: Poller?) {
        for place in places { poller?.remove(place) }
        places = []
        poller = next
        dueAt = .max
        guard let next else { return }
        for (tag, descriptor) in [
            (Self.framesTag, unsafe Self.descriptor(of: raw)), (Self.eventsTag, unsafe Self.descriptor(of: monitor)),
        ] {
            guard let descriptor else { continue }
            if let place = try? next.add(self, at: tag, descriptor, .reading) {
                places.append(place)
            } else {
                // For want of memory.
                dueAt = MonotonicClock.now() + Self.pause
            }
        }
        (mayHold, mayHaveEvents) = (true, true)
    }

    func timePassed(_ now: UInt64) { watch(by: poller) }

    func announced(_ what: Poller.Interest, at tag: Int) {
        if tag == Self.framesTag { mayHold = true } else { mayHaveEvents = true }
    }

    var held: (frames: Bool, events: Bool) { (mayHold, mayHaveEvents) }

    func isHolding() -> Bool {
        let isHolding = mayHold && findHeld()
        return isHolding || mayHaveEvents
    }

    /// libzmq sends by itself.
    func flush() {}

    /// Asks the socket whether it has a frame, and notes the answer.
    private func findHeld() -> Bool {
        guard let raw = unsafe raw else { return false }
        var events: Int32 = 0
        var size = 4
        // A socket whose context has ended fails here; its next use says so.
        let result = unsafe zmq_getsockopt(raw, ZMQ_EVENTS, &events, &size)
        mayHold = result == 0 && events & ZMQ_POLLIN != 0
        return mayHold
    }

    private static func descriptor(of socket: UnsafeMutableRawPointer?) -> Int32? {
        guard let socket = unsafe socket else { return nil }
        var descriptor: Int32 = -1
        var size = 4
        guard unsafe zmq_getsockopt(socket, ZMQ_FD, &descriptor, &size) == 0 else { return nil }
        return descriptor
    }

    /// Sends one frame, copied once into libzmq's memory. A router names the peer.
    func send(_ bytes: Span<UInt8>, to peer: PeerID?) -> SendOutcome {
        mayHold = true
        guard let peer else {
            // libzmq takes a dead connection down later, and loses in silence what it got meanwhile.
            return isEstablished || isClosed ? send(bytes, flags: ZMQ_DONTWAIT) : .unreachable
        }
        // The body exists before the routing part goes, so that no message can be left half sent.
        var body = LibraryMessage()
        guard body.fill(copying: bytes) else { return .failed(zmq_errno()) }
        let routed = unsafe withUnsafePointer(to: peer.raw.littleEndian) { id in
            Self.outcome { unsafe zmq_send(raw, id, 8, ZMQ_DONTWAIT | ZMQ_SNDMORE) }
        }
        guard routed == .sent else { return routed }
        return Self.outcome { unsafe body.withHandle { body in unsafe zmq_msg_send(body, raw, ZMQ_DONTWAIT) } }
    }

    private func send(_ bytes: Span<UInt8>, flags: Int32) -> SendOutcome {
        unsafe bytes.withUnsafeBufferPointer { bytes in
            Self.outcome { unsafe zmq_send(raw, bytes.baseAddress, bytes.count, flags) }
        }
    }

    /// One part of a multipart message, for the authenticator's replies.
    func send(part: [UInt8], more: Bool) -> SendOutcome {
        mayHold = true
        return send(part.span, flags: more ? ZMQ_DONTWAIT | ZMQ_SNDMORE : ZMQ_DONTWAIT)
    }

    private static func outcome(_ call: () -> Int32) -> SendOutcome {
        while true {
            if call() >= 0 { return .sent }
            switch zmq_errno() {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            case EHOSTUNREACH: return .unreachable
            case let code: return .failed(code)
            }
        }
    }

    /// Blocks until a frame or a monitor event is there, for code that has no reactor.
    func wait(milliseconds: Int) throws(TransportError) -> Bool {
        var items: [zmq_pollitem_t] = unsafe []
        if let raw = unsafe raw {
            unsafe items.append(zmq_pollitem_t(socket: raw, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0))
        }
        if let monitor = unsafe monitor {
            unsafe items.append(zmq_pollitem_t(socket: monitor, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0))
        }
        let ready = unsafe zmq_poll(&items, Int32(items.count), milliseconds)
        if ready < 0, zmq_errno() != EINTR { throw .last("poll", "socket") }
        return ready > 0
    }

    // MARK: Monitor

    /// Begins to report connections; before the first bind or connect, or events are missed.
    func startMonitor() throws(TransportError) {
        let address = context.uniqueInprocAddress("monitor")
        let mask =
            ZMQ_EVENT_CONNECTED | ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_ACCEPT_FAILED | ZMQ_EVENT_DISCONNECTED
            | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
            | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
        guard unsafe zmq_socket_monitor(raw, address, mask) == 0 else { throw .last("monitor", "socket") }
        guard let pair = unsafe zmq_socket(context.raw, ZMQ_PAIR) else { throw .last("create", "monitor") }
        unsafe monitor = unsafe pair
        // The I/O thread blocks on a full monitor: without a mark it never is.
        let unlimited: Int32 = 0
        let limited = unsafe withUnsafePointer(to: unlimited) { value in
            unsafe zmq_setsockopt(pair, ZMQ_RCVHWM, value, 4) | zmq_setsockopt(pair, ZMQ_LINGER, value, 4)
        }
        guard limited == 0, unsafe zmq_connect(pair, address) == 0 else { throw .last("connect", "monitor") }
    }

    /// The next event, if one is there.
    func nextEvent() throws(TransportError) -> MonitorEvent? {
        mayHaveEvents = false
        guard let monitor = unsafe monitor else { return nil }
        while true {
            var head = LibraryMessage()
            var tail = LibraryMessage()
            guard try unsafe Self.receive(&head, from: monitor), try unsafe Self.receive(&tail, from: monitor) else {
                return nil
            }
            guard let event = MonitorEvent(head: head.bytes, endpoint: tail.bytes) else { continue }
            note(event)
            mayHaveEvents = true
            return event
        }
    }

    private func note(_ event: MonitorEvent) {
        switch event.kind {
        case .handshakeSucceeded: isEstablished = true
        case .disconnected:
            isEstablished = false
            if let descriptor = event.descriptor { gate?.ended(descriptor) }
        case .handshakeFailed(let failure):
            isEstablished = false
            if case .protocolError = failure { malformedHandshakes += 1 }
        case .accepted:
            if let descriptor = event.descriptor { gate?.accepted(descriptor) }
        case .connected, .acceptFailed: break
        }
    }

    private static func receive(
        _ message: inout LibraryMessage, from monitor: UnsafeMutableRawPointer
    ) throws(TransportError) -> Bool {
        while true {
            if unsafe message.withHandle({ unsafe zmq_msg_recv($0, monitor, ZMQ_DONTWAIT) }) >= 0 { return true }
            switch zmq_errno() {
            case EAGAIN: return false
            case EINTR: continue
            default: throw .last("receive from", "monitor")
            }
        }
    }
}

extension MonitorEvent {
    /// Reads libzmq's form: event (2 bytes) and value (4, unaligned) in the host's byte order, then the address.
    init?(head: Span<UInt8>, endpoint: Span<UInt8>) {
        guard head.count == 6 else { return nil }
        let event = Int32(UInt16(littleEndian: UInt16(head[0]) | UInt16(head[1]) << 8))
        var bits: UInt32 = 0
        for index in 0..<4 { bits |= UInt32(head[2 + index]) << UInt32(8 * index) }
        let value = Int32(bitPattern: UInt32(littleEndian: bits))
        switch event {
        case ZMQ_EVENT_CONNECTED: kind = .connected
        case ZMQ_EVENT_ACCEPTED:
            kind = .accepted
            descriptor = value
        case ZMQ_EVENT_ACCEPT_FAILED: kind = .acceptFailed(value)
        case ZMQ_EVENT_DISCONNECTED:
            kind = .disconnected
            descriptor = value
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: kind = .handshakeSucceeded
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL: kind = .handshakeFailed(.noDetail(value))
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: kind = .handshakeFailed(.protocolError(value))
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: kind = .handshakeFailed(.refused(value))
        default: return nil
        }
        self.endpoint = String(decoding: (0..<endpoint.count).map { endpoint[$0] }, as: UTF8.self)
    }
}
