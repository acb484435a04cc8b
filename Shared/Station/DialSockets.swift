public import Line
public import Transport
import Wire

/// The connections of one line upward: a dealer for each address of the stations above. What is said on them is the
/// `DialSide`'s to decide, which is passed to each call that concerns it.
///
/// Belongs to the actor that made it. A name above is resolved again every few seconds; each of its addresses is a link.
public final class DialSockets {
    /// Counted here, since the dialling side does not see them.
    public struct Counters: Sendable {
        /// Frames that could not be sent.
        public var unsent: UInt64 = 0
        /// How long frames held the thread.
        public var times = FrameTimes()
        /// Names that could not be resolved, or sockets that could not be made.
        public var failedDials: UInt64 = 0
    }

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
    /// Addresses of each name.
    private var dialled: [String: Set<Endpoint>] = [:]
    /// Links without a socket, since it could not be made.
    private var failed: Set<UInt32> = []
    private var redialAt: LinkTime = 0
    private var isClosed = false
    private var onReadable: @Sendable (UInt32) -> Void = { _ in }
    private var onMonitor: @Sendable (UInt32, MonitorEvent) -> Void = { _, _ in }

    public init(
        _ context: Context, reactor: Reactor, targets: [Endpoint], options: SocketOptions = SocketOptions(),
        security: Security = .plain, credentials: LinkCredentials? = nil
    ) {
        self.context = context
        self.reactor = reactor
        self.security = security
        self.targets = targets
        self.options = options
        self.credentials = credentials
    }

    public convenience init(
        _ station: StationParts, targets: [Endpoint], credentials: LinkCredentials? = nil
    ) {
        self.init(station.context, reactor: station.reactor, targets: targets, credentials: credentials)
    }

    /// Names to resolve: those of the targets whose host is not an address already.
    var names: [String] {
        targets.compactMap { if case .tcp(let host, _) = $0, !Self.isAddress(host) { host } else { nil } }
    }

    /// Dials the targets that need no resolution and says whom to call when a link has something.
    ///
    /// On the reactor's thread; both callbacks run there.
    func attach(
        _ side: inout DialSide, onReadable: @escaping @Sendable (UInt32) -> Void,
        onMonitor: @escaping @Sendable (UInt32, MonitorEvent) -> Void
    ) {
        self.onReadable = onReadable
        self.onMonitor = onMonitor
        for target in targets {
            if case .tcp(let host, _) = target, !Self.isAddress(host) { continue }
            dial(target, &side)
        }
    }

    /// The addresses that a name has now: dials the new ones, lets go of those that vanished and have no session.
    func resolved(_ name: String, to addresses: [String], _ side: inout DialSide) {
        var wanted: Set<Endpoint> = []
        for case .tcp(let host, let port) in targets where host == name {
            wanted.formUnion(addresses.map { Endpoint.tcp(host: $0, port: port) })
        }
        for endpoint in wanted where ids[endpoint] == nil { dial(endpoint, &side) }
        dialled[name, default: []].formUnion(wanted)
        for endpoint in dialled[name, default: []].subtracting(wanted) {
            guard let link = ids[endpoint], side.session(of: link) == nil else { continue }
            remove(link, endpoint, &side)
            dialled[name]?.remove(endpoint)
        }
    }

    /// A connection event of a link.
    func handle(_ event: MonitorEvent, on link: UInt32, _ side: inout DialSide, now: LinkTime) {
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

    /// Hands up to `limit` frames of a link to `take`.
    func drain(
        _ link: UInt32, limit: Int = Reactor.receivesPerTurn, _ take: (Span<UInt8>, LinkTime) -> Void
    ) throws(TransportError) {
        guard let dealer = links[link] else { return }
        var end = UInt64.max
        try dealer.receive(upTo: limit) { frame -> Bool in
            let now = MonotonicClock.now()
            end = min(end, now &+ FrameTimes.budget)
            take(frame.bytes, now)
            let done = MonotonicClock.now()
            counters.times.note(frame.bytes, done &- now)
            return done < end
        }
    }

    func send(_ frame: Span<UInt8>, on link: UInt32) -> SendOutcome {
        let outcome = links[link]?.send(frame) ?? .unreachable
        if outcome != .sent { counters.unsent += 1 }
        return outcome
    }

    /// Closes all sockets.
    func close() {
        for link in links.values { link.close() }
        isClosed = true
        failed = []
        links = [:]
        ids = [:]
    }

    private func dial(_ endpoint: Endpoint, _ side: inout DialSide) {
        guard ids[endpoint] == nil else { return }
        let link = side.addLink()
        ids[endpoint] = link
        connect(link, to: endpoint, &side)
    }

    private func connect(_ link: UInt32, to endpoint: Endpoint, _ side: inout DialSide) {
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
        guard !isClosed else { return }
        failed.insert(link)
    }

    /// Dials again what could not be dialled.
    func tick(_ side: inout DialSide, now: LinkTime) {
        guard !failed.isEmpty, now >= redialAt else { return }
        redialAt = now + Self.redialInterval
        let due = failed
        failed = []
        for (endpoint, link) in ids where due.contains(link) { connect(link, to: endpoint, &side) }
    }

    private static var redialInterval: LinkTime { 1_000_000_000 }

    func reconnect(_ link: UInt32, _ side: inout DialSide) {
        guard let endpoint = ids.first(where: { $0.value == link })?.key else { return }
        links[link]?.close()
        connect(link, to: endpoint, &side)
    }

    private func remove(_ link: UInt32, _ endpoint: Endpoint, _ side: inout DialSide) {
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
