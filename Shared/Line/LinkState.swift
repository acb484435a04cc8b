import Wire

/// All that a dialling station keeps for one link.
struct LinkState: Sendable {
    enum Phase: Equatable, Sendable {
        /// No connection.
        case down
        /// Connected; a hello is due at this time.
        case idle(helloAt: LinkTime)
        /// A hello is out since this time.
        case greeting(since: LinkTime)
        /// The session goes on.
        case up
    }

    struct Held: Sendable {
        var handle: UInt32
        var work: UInt64
    }

    let id: UInt32
    var isRemoved = false
    var phase = Phase.down
    var attempt: UInt32 = 0
    var lastHello: LinkTime?
    var unansweredHellos = 0

    var session: UInt32 = 0
    /// The protocol version of the session.
    var version = ProtocolVersion.minimum
    var incoming = SequenceCheck()
    var outgoing: UInt64 = 0
    var lastHeard: LinkTime = 0
    var silenceLimit: LinkTime = 0

    /// The cumulative number of works granted in this session, and the number that came.
    var limit: UInt64 = 0
    var accepted: UInt64 = 0
    /// Works that wait above, less those that came since it was said.
    var demand: UInt64 = 0
    /// The limit asked for by a recall that is not acknowledged yet, and since when.
    var recall: (target: UInt64, since: LinkTime)?
    var isCreditChanged = false

    var window: UInt64 = 1
    var traysSent: UInt64 = 0
    var traysTaken: UInt64 = 0
    var isWindowShut = false

    var saidGoodbye = false
    var isGoodbyeAcknowledged = false
    /// Works of this session by the lower half of their handle.
    var held: [Held?] = []

    init(id: UInt32) { self.id = id }

    var isUp: Bool { phase == .up }

    /// Works that may still come.
    var outstanding: UInt64 { limit - accepted }

    /// Whether credit may be granted or recalled now.
    var isGrantable: Bool { isUp && recall == nil && !saidGoodbye }

    mutating func open(_ welcome: Welcome, header: FrameHeader, now: LinkTime) {
        phase = .up
        unansweredHellos = 0
        session = welcome.session
        version = welcome.version
        incoming = SequenceCheck(last: header.sequence)
        outgoing = 0
        lastHeard = now
        silenceLimit = max(1, LinkTime(welcome.timeoutMilliseconds)) * 1_000_000
        window = UInt64(max(1, welcome.window))
    }

    /// Forgets the session's own state.
    mutating func close() {
        phase = .down
        session = 0
        limit = 0
        accepted = 0
        demand = 0
        recall = nil
        traysSent = 0
        traysTaken = 0
        isWindowShut = false
        saidGoodbye = false
        isGoodbyeAcknowledged = false
        held.removeAll(keepingCapacity: true)
    }
}
