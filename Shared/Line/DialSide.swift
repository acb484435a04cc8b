public import Wire

/// The station below on all its links: says hello to each station above, grants them credit for its free slots, holds
/// their works, and lets unused credit follow demand.
///
/// A plain value without socket, clock or thread, used like `Dispatcher`: after every call take actions from `next()`
/// until nil; number each frame by `nextStamp(on:session:)` just before it is sent; pass each incoming frame to
/// `received` (control) or `accepts` (all others) first.
///
/// The sum of works held and credit outstanding over all links never exceeds the slots (except after the slots were
/// reduced, until recalls come back). A work takes its slot until `ended`, also after its session has ended.
public struct DialSide: Sendable {
    /// Something for the owner to do.
    public enum Action: Equatable, Sendable {
        /// Send this frame with this session in its header (0 or an ended session's: sequence 0).
        case control(link: UInt32, session: UInt32, ControlFrame)
        /// End this work, report it as cancelled, then call `ended`.
        case cancel(work: UInt64)
        /// A session began.
        case sessionBegan(link: UInt32, Welcome)
        /// A session ended: cancel and record these works, then call `ended` for each; nothing is sent for them.
        case sessionEnded(link: UInt32, session: UInt32, Status, works: [UInt64])
        /// The station above refused the hello; it is repeated later.
        case refused(link: UInt32, Status)
        /// A tray can be sent again after `trayToSend` gave nil.
        case windowOpened(link: UInt32)
        /// Replace the link's connection, then call `connected`.
        case reconnect(link: UInt32)
        /// A health probe: answer it with `probeReply`.
        case probe(link: UInt32, number: UInt64)
        /// After `drain`: nothing is held, every tray was taken; the process may go.
        case drained
    }

    /// What became of a work from above.
    public enum Acceptance: Equatable, Sendable {
        /// It is held under this key until `ended`.
        case accepted(UInt64)
        /// It broke the protocol (no credit for it, or a handle in use), and its session was ended for that.
        case refused(Status)
    }

    /// Where a work's rows go.
    public struct Origin: Equatable, Sendable {
        public var link: UInt32
        public var session: UInt32
        public var handle: UInt32
    }

    struct Work: Sendable {
        var origin: Origin
        var generation: UInt32
        var isHeld: Bool
    }

    public let role: StationRole
    public let epoch: UInt64
    public let name: String
    public let model: String
    /// Tokens that prompt and answer may have together: told in the hello, and again with each heartbeat's answer; 0
    /// where it is not known.
    public var contextLength: UInt32
    public let settings: LineSettings
    /// A client's API key. With one the hello is of version 2, and stations of version 1 refuse it.
    public var key = ""
    /// Bytes of the longest token of the vocabulary, told in the hello; 0 where it is not known.
    public var longestToken: UInt32 = 0
    /// Works that can be held at once.
    public internal(set) var slots: UInt32
    /// Works that take a slot.
    public internal(set) var heldCount = 0
    public internal(set) var isDraining = false
    /// Whether this station takes no work for a while; see `suspend`.
    public internal(set) var isSuspended = false
    public internal(set) var counters = LineCounters()
    /// Whether a tick may have something to do before a link changes or a frame comes: a hello, or credit that gathers.
    /// As of the last `next()` that gave nil.
    public private(set) var awaitsTick = false

    var links: [LinkState] = []
    var linksMade: UInt32 = 0
    var attempts: UInt32 = 0
    var works: [Work] = []
    var freeWorks: [Int] = []
    var lastStep: LinkTime = 0
    var lastTick: LinkTime?
    var time: LinkTime = 0
    var turn = 0
    var creditChanged = false
    /// Whether free slots gather instead of being granted, and whether the time for that is over.
    var isWithholding = false
    var isTicking = false
    var isDrained = false
    var actions = ActionQueue<Action>()

    /// - Parameters:
    ///   - epoch: this process's boot: random, never reused.
    ///   - slots: 0 for a link without credit (clients, producers of ledger events).
    public init(
        role: StationRole, epoch: UInt64, name: String, model: String = "", contextLength: UInt32 = 0,
        slots: UInt32 = 0, settings: LineSettings = LineSettings()
    ) {
        self.role = role
        self.epoch = epoch
        self.name = name
        self.model = model
        self.contextLength = contextLength
        self.slots = slots
        self.settings = settings
    }

    // MARK: Actions

    /// The next thing to do, or nil when there is nothing.
    public mutating func next() -> Action? {
        while true {
            if actions.isEmpty { settle() }
            guard let action = actions.popFirst() else {
                awaitsTick = isWithholding || isGreeting
                return nil
            }
            switch action {
            case .control(_, _, .reset), .control(_, _, .hello): return action
            case .control(let link, let session, _):
                if let index = index(of: link), links[index].session == session { return action }
            case .windowOpened(let link):
                if let index = index(of: link), links[index].isUp { return action }
            default: return action
            }
        }
    }

    /// Number and version of the next frame on this link, which must be sent at once.
    public mutating func nextStamp(on link: UInt32, session: UInt32) -> FrameStamp {
        guard let index = index(of: link), links[index].isUp, links[index].session == session else { return .none }
        links[index].outgoing += 1
        return FrameStamp(sequence: links[index].outgoing, version: links[index].version)
    }

    /// The protocol version of a link's session; the lowest while there is none.
    public func version(of link: UInt32) -> UInt8 {
        guard let index = index(of: link), links[index].isUp else { return ProtocolVersion.minimum }
        return links[index].version
    }

    /// Whether a hello is due on a link, or may have to be repeated.
    private var isGreeting: Bool {
        for index in links.indices where !links[index].isRemoved {
            switch links[index].phase {
            case .idle, .greeting: return true
            case .down, .up: continue
            }
        }
        return false
    }

    // MARK: Reads

    /// The session that goes on on this link, or nil.
    public func session(of link: UInt32) -> UInt32? {
        guard let index = index(of: link), links[index].isUp else { return nil }
        return links[index].session
    }

    /// Links with a session.
    public var sessionCount: Int { links.reduce(0) { $0 + ($1.isUp ? 1 : 0) } }

    /// Works that may still come on this link.
    public func outstandingCredit(of link: UInt32) -> UInt64 { index(of: link).map { links[$0].outstanding } ?? 0 }

    /// Trays sent on this link that are not acknowledged.
    public func traysInFlight(on link: UInt32) -> UInt64 {
        index(of: link).map { links[$0].traysSent - links[$0].traysTaken } ?? 0
    }

    /// Where the work's rows go; nil when its session has ended, or it has.
    public func origin(of work: UInt64) -> Origin? {
        guard let slot = slot(of: work) else { return nil }
        let origin = works[slot].origin
        return session(of: origin.link) == origin.session ? origin : nil
    }

    // MARK: Inner parts

    func index(of link: UInt32) -> Int? {
        let index = Int(link & 0xffff)
        guard index < links.count, links[index].id == link, !links[index].isRemoved else { return nil }
        return index
    }

    func slot(of work: UInt64) -> Int? {
        let slot = Int(work & 0xffff_ffff)
        guard slot < works.count, works[slot].isHeld, UInt64(works[slot].generation) == work >> 32 else { return nil }
        return slot
    }
}
