public import Line
public import Transport
public import Wire

/// The station below on all its links: one dealer for each address of the stations above, and the dialling side that
/// decides what they say.
///
/// Belongs to the actor that made it. A name above is resolved again every few seconds; each of its addresses is a link.
public final class LowerLinks {
    /// Counted here, since neither sockets nor the dialling side see them.
    public struct Counters: Sendable {
        /// Frames that did not decode.
        public var badFrames: UInt64 = 0
        /// Frames that could not be sent.
        public var unsent: UInt64 = 0
        /// How long frames held the thread.
        public var times = FrameTimes()
        /// Names that could not be resolved, or sockets that could not be made.
        public var failedDials: UInt64 = 0
    }

    public var side: DialSide
    public private(set) var counters = Counters()

    private let context: Context
    private let reactor: Reactor
    private let targets: [Endpoint]
    private let options: SocketOptions
    private let security: Security
    private let credentials: LinkCredentials?
    /// Connections tried, by link: each next one expects the next listed key of the station above.
    private var attempts: [UInt32: Int] = [:]
    /// Links whose connection has its handshake behind it.
    private var handshaken: Set<UInt32> = []
    private var random = SystemRandomNumberGenerator()
    private var links: [UInt32: DealerLink] = [:]
    private var ids: [Endpoint: UInt32] = [:]
    private var control = FrameBuffer(capacity: 256)
    private var onReadable: @Sendable (UInt32) -> Void = { _ in }
    private var onMonitor: @Sendable (UInt32, MonitorEvent) -> Void = { _, _ in }

    public init(
        _ context: Context, reactor: Reactor, targets: [Endpoint], options: SocketOptions = SocketOptions(),
        security: Security = .plain, credentials: LinkCredentials? = nil, side: DialSide
    ) {
        self.context = context
        self.reactor = reactor
        self.targets = targets
        self.options = options
        self.security = security
        self.credentials = credentials
        self.side = side
    }

    /// The addresses that are linked now.
    public var endpoints: [Endpoint] { Array(ids.keys) }

    /// Names to resolve: those of the targets whose host is not an address already.
    public var names: [String] {
        targets.compactMap { if case .tcp(let host, _) = $0, !Self.isAddress(host) { host } else { nil } }
    }

    /// Dials the targets that need no resolution and says whom to call when a link has something.
    ///
    /// On the reactor's thread; both callbacks run there.
    public func attach(
        onReadable: @escaping @Sendable (UInt32) -> Void,
        onMonitor: @escaping @Sendable (UInt32, MonitorEvent) -> Void
    ) {
        self.onReadable = onReadable
        self.onMonitor = onMonitor
        for target in targets {
            if case .tcp(let host, _) = target, !Self.isAddress(host) { continue }
            dial(target)
        }
    }

    /// The addresses that a name has now: dials the new ones, lets go of those that vanished and have no session.
    public func resolved(_ name: String, to addresses: [String]) {
        var wanted: Set<Endpoint> = []
        for case .tcp(let host, let port) in targets where host == name {
            wanted.formUnion(addresses.map { Endpoint.tcp(host: $0, port: port) })
        }
        for endpoint in wanted where ids[endpoint] == nil { dial(endpoint) }
        dialled[name, default: []].formUnion(wanted)
        for endpoint in dialled[name, default: []].subtracting(wanted) {
            guard let link = ids[endpoint], side.session(of: link) == nil else { continue }
            remove(link, endpoint)
            dialled[name]?.remove(endpoint)
        }
    }
    private var dialled: [String: Set<Endpoint>] = [:]
    /// Links without a socket, since it could not be made.
    private var failed: Set<UInt32> = []
    private var redialAt: LinkTime = 0
    private var isClosed = false

    /// A connection event of a link.
    public func handle(_ event: MonitorEvent, on link: UInt32, now: LinkTime) {
        switch event.kind {
        case .handshakeSucceeded:
            handshaken.insert(link)
            side.connected(link, now: now)
        case .disconnected, .handshakeFailed:
            side.disconnected(link, now: now)
            // Without a handshake the station above may have another of its listed keys, or another one by now.
            if handshaken.remove(link) == nil, credentials != nil {
                links.removeValue(forKey: link)?.close()
                retry(link)
            }
        case .connected, .accepted, .acceptFailed: break
        }
    }

    /// Takes up to `limit` frames of a link; see `UpperLink.drain`.
    public func drain(
        _ link: UInt32, limit: Int = Reactor.receivesPerTurn,
        _ onWork: (FrameHeader, Span<UInt8>, UInt32, LinkTime) throws(WireError) -> Void
    ) throws(TransportError) {
        guard let dealer = links[link] else { return }
        var end = UInt64.max
        try dealer.receive(upTo: limit) { frame in
            let now = MonotonicClock.now()
            end = min(end, now &+ FrameTimes.budget)
            return take(frame, link, now, onWork) < end
        }
    }

    /// Says when the frame was done with.
    private func take(
        _ received: ReceivedFrame, _ link: UInt32, _ now: LinkTime,
        _ onWork: (FrameHeader, Span<UInt8>, UInt32, LinkTime) throws(WireError) -> Void
    ) -> LinkTime {
        do throws(WireError) {
            let header = try FrameHeader.decode(received.bytes)
            if let frame = try ControlFrame.decode(received.bytes, header: header) {
                side.received(frame, on: link, header: header, now: now)
            } else if side.accepts(header, on: link, now: now) {
                try onWork(header, received.bytes, link, now)
            }
            let done = MonotonicClock.now()
            counters.times.note(header.kind, done &- now)
            return done
        } catch {
            counters.badFrames += 1
            side.violated(on: link)
            return now
        }
    }

    /// Sends what the dialling side wants to say, keeps its connections, and hands everything else to `body`, until
    /// there is nothing.
    public func perform(_ body: (DialSide.Action) -> Void) {
        while let action = side.next() {
            switch action {
            case .control(let link, let session, let frame):
                let stamp = side.nextStamp(on: link, session: session)
                frame.encode(
                    into: &control, session: session, sequence: stamp.sequence, sentAt: MonotonicClock.now(),
                    version: stamp.version)
                guard let outcome = links[link]?.send(control.bytes.span), outcome != .sent else { continue }
                counters.unsent += 1
                if case .reset = frame { continue }
                side.sendFailed(on: link)
            case .reconnect(let link):
                reconnect(link)
            default:
                body(action)
            }
        }
    }

    /// Numbers and stamps an encoded frame and sends it; when that fails, the link's session ends.
    @discardableResult
    public func send(_ frame: inout FrameBuffer, on link: UInt32, session: UInt32) -> SendOutcome {
        let stamp = side.nextStamp(on: link, session: session)
        guard stamp.sequence > 0, let dealer = links[link] else { return .unreachable }
        frame.stamp(sequence: stamp.sequence, sentAt: MonotonicClock.now())
        frame.stamp(version: stamp.version)
        let outcome = dealer.send(frame.bytes.span)
        if outcome != .sent {
            counters.unsent += 1
            side.sendFailed(on: link)
        }
        return outcome
    }

    /// Closes all sockets.
    public func close() {
        for link in links.values { link.close() }
        isClosed = true
        failed = []
        links = [:]
        ids = [:]
    }

    private func dial(_ endpoint: Endpoint) {
        guard ids[endpoint] == nil else { return }
        let link = side.addLink()
        ids[endpoint] = link
        connect(link, to: endpoint)
    }

    private func connect(_ link: UInt32, to endpoint: Endpoint) {
        var security = security
        if let credentials, case .tcp = endpoint {
            let attempt = attempts[link, default: 0]
            attempts[link] = attempt + 1
            guard let own = credentials.security(attempt: attempt) else {
                counters.failedDials += 1
                return retry(link)
            }
            security = own
        }
        do throws(TransportError) {
            let dealer = try DealerLink(
                context, routingID: PeerID.random(role: side.role.rawValue, using: &random), to: endpoint,
                options: options, security: security)
            links[link] = dealer
            let (onReadable, onMonitor) = (onReadable, onMonitor)
            dealer.attach(to: reactor, onReadable: { onReadable(link) }, onMonitor: { onMonitor(link, $0) })
            // Within a context there is no handshake that an event would report.
            if case .inproc = endpoint { side.connected(link, now: MonotonicClock.now()) }
        } catch {
            counters.failedDials += 1
            links[link] = nil
            retry(link)
        }
    }

    /// Dials a link again later that could not be dialled: for want of descriptors, of an interface, of a key.
    private func retry(_ link: UInt32) {
        guard !isClosed, !failed.contains(link) else { return }
        failed.insert(link)
    }

    /// Lets time pass, and dials again what could not be dialled.
    public func tick(_ now: LinkTime) {
        redial(now)
        side.tick(now)
    }

    private func redial(_ now: LinkTime) {
        guard !failed.isEmpty, now >= redialAt else { return }
        redialAt = now + Self.redialInterval
        let due = failed
        failed = []
        for (endpoint, link) in ids where due.contains(link) { connect(link, to: endpoint) }
    }

    private static var redialInterval: LinkTime { 1_000_000_000 }

    private func reconnect(_ link: UInt32) {
        guard let endpoint = ids.first(where: { $0.value == link })?.key else { return }
        links[link]?.close()
        connect(link, to: endpoint)
    }

    private func remove(_ link: UInt32, _ endpoint: Endpoint) {
        side.removeLink(link)
        attempts[link] = nil
        failed.remove(link)
        ids[endpoint] = nil
        links.removeValue(forKey: link)?.close()
    }

    private static func isAddress(_ host: String) -> Bool {
        host.utf8.contains(UInt8(ascii: ":"))
            || (!host.isEmpty && host.utf8.allSatisfy { (48...57).contains($0) || $0 == UInt8(ascii: ".") })
    }
}
