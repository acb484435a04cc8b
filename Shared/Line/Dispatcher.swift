public import Wire

/// The station above on its links: opens sessions for those that dial, sends them work against their credit, and
/// keeps a lease for each work until it ends.
///
/// A plain value without socket, clock or thread: events and the time go in by calls, and `next()` gives what is to be
/// done, in order. After every call, or at the latest before the process blocks, take actions until `next()` is nil.
///
/// Works are keys that the caller chooses, each unique while it waits or is leased. Peers are ZeroMQ routing ids. Every
/// frame sent in a session is numbered by `nextStamp(to:session:)`, asked for just before it is sent; each incoming
/// frame is passed to `received` (control) or `accepts` (all others) before anything else is done with it.
public struct Dispatcher: Sendable {
    /// Something for the owner to do.
    public enum Action: Equatable, Sendable {
        /// Send this frame with this session in its header (0 or an ended session's: sequence 0).
        case control(peer: UInt64, session: UInt32, ControlFrame)
        /// Encode the work's frame with this handle and send it. If that fails, call `sendFailed`.
        case dispatch(work: UInt64, to: SessionRef, handle: UInt32)
        /// The work's lease has ended unfinished: submit it again (`atFront`) or end it.
        case lost(work: UInt64, peer: UInt64, LossReason)
        /// A session began.
        case peerUp(PeerInfo)
        /// A session ended; `lost` came before for each of its leases.
        case peerDown(PeerInfo, Status)
        /// The probe of this number came back.
        case probeReply(peer: UInt64, number: UInt64)
        /// On a link without leases: the peer has read all frames up to this number of its session.
        case framesRead(SessionRef, through: UInt64)
        /// On a link without leases: the peer says how many trays of its session it has read.
        case traysRead(SessionRef, through: UInt64)
    }

    /// What became of a submitted work.
    public enum Submission: Equatable, Sendable {
        /// A `dispatch` action is queued.
        case dispatched
        /// It waits for credit.
        case waiting
        /// It was not taken: `busy`, `unknownModel`, `unavailable` (no peer at all) or `conflict` (the key is in use).
        case refused(Status)
    }

    /// What a cancel found.
    public enum Cancellation: Equatable, Sendable {
        /// The work waited; it is gone, and nothing more will be said of it.
        case removed
        /// The peer that holds it has been told; the lease ends by its row, or as lost.
        case passedOn
        /// No such work.
        case unknown
    }

    struct Place: Sendable {
        /// Index in the wait queue, or -1 for a lease.
        var node: Int
        var peer: Int
        var handle: UInt32
        var isCancelled = false
    }

    /// Models that peers may bring, together.
    static let modelLimit = 1024

    public let role: StationRole
    public let epoch: UInt64
    public let name: String
    /// Told to those that dial, in the welcome; see `Welcome.model`.
    public var model = ""
    /// Told to clients, in the welcome; see `Welcome.outputWindow`.
    public var outputWindow: UInt32 = 0
    public let settings: LineSettings
    public private(set) var isDraining = false
    public internal(set) var counters = LineCounters()

    let acceptedRoles: Set<StationRole>
    let usesLeases: Bool
    var peers: [PeerState] = []
    var freePeers: [Int] = []
    var indexByPeer: [UInt64: Int] = [:]
    var modelIndices: [String: Int] = ["": 0]
    var places: [UInt64: Place] = [:]
    var waits = WaitQueue()
    var affinities = AffinityTable()
    var actions = ActionQueue<Action>()
    var demandChanged = false
    var lastTick: LinkTime?

    /// - Parameters:
    ///   - epoch: this process's boot: random, never reused.
    ///   - acceptedRoles: which stations may dial.
    ///   - leases: false for a link without credit and leases (clients, producers of ledger events).
    public init(
        role: StationRole, epoch: UInt64, name: String, settings: LineSettings = LineSettings(),
        acceptedRoles: Set<StationRole>, leases: Bool
    ) {
        self.role = role
        self.epoch = epoch
        self.name = name
        self.settings = settings
        self.acceptedRoles = acceptedRoles
        usesLeases = leases
    }

    // MARK: Actions

    /// The next thing to do, or nil when there is nothing.
    public mutating func next() -> Action? {
        while true {
            if actions.isEmpty { stateDemand() }
            guard let action = actions.popFirst() else { return nil }
            switch action {
            case .control(_, _, .reset), .lost, .peerUp, .peerDown, .probeReply, .framesRead, .traysRead: return action
            case .control(let peer, let session, _):
                if let index = indexByPeer[peer], peers[index].info.session.session == session { return action }
            case .dispatch(_, let reference, _):
                if index(of: reference) != nil { return action }
            }
        }
    }

    /// Number and version of the next frame to this peer, which must be sent at once.
    public mutating func nextStamp(to peer: UInt64, session: UInt32) -> FrameStamp {
        guard let index = indexByPeer[peer], peers[index].info.session.session == session else { return .none }
        peers[index].outgoing += 1
        return FrameStamp(sequence: peers[index].outgoing, version: peers[index].info.version)
    }

    /// The protocol version of a session; the lowest when it is not current.
    public func version(of session: SessionRef) -> UInt8 {
        index(of: session).map { peers[$0].info.version } ?? ProtocolVersion.minimum
    }

    /// Number of the last frame that was sent in a session; 0 when it is not current.
    public func lastSequence(in session: SessionRef) -> UInt64 { index(of: session).map { peers[$0].outgoing } ?? 0 }

    /// A heartbeat went out with this number and time: its answer will show what was read before it.
    public mutating func heartbeatSent(to peer: UInt64, sequence: UInt64, sentAt: LinkTime) {
        guard let index = indexByPeer[peer], !usesLeases else { return }
        if peers[index].heartbeats.count >= Self.heartbeatsKept { peers[index].heartbeats.removeFirst() }
        peers[index].heartbeats.append(PeerState.SentHeartbeat(sequence: sequence, sentAt: sentAt))
    }

    /// Heartbeats whose answer may still come, of one peer.
    private static var heartbeatsKept: Int { 32 }

    // MARK: Reads

    /// Sessions at the moment.
    public var peerCount: Int { indexByPeer.count }

    /// Works that wait for credit.
    public var waitingCount: Int { waits.count }

    /// Works that peers hold.
    public var leaseCount: Int { places.count - waits.count }

    /// How long the work that waits longest has waited, in nanoseconds; 0 when none waits.
    public func oldestWait(now: LinkTime) -> LinkTime {
        guard let since = waits.oldest, now > since else { return 0 }
        return now - since
    }

    /// Everyone who has a session, in no particular order.
    public var allPeers: [PeerInfo] { peers.compactMap { $0.isLive ? $0.info : nil } }

    /// The longest context that a peer has; nil while there is none.
    public var largestContext: UInt32? {
        var largest: UInt32?
        for index in peers.indices where peers[index].isLive {
            largest = max(largest ?? 0, peers[index].info.contextLength)
        }
        return largest
    }

    /// Works that peers hold or may still be sent, all together.
    public var room: Int {
        var room = 0
        for index in peers.indices where peers[index].isLive {
            room += Int(clamping: peers[index].room) + peers[index].leases.count
        }
        return room
    }

    public func info(of peer: UInt64) -> PeerInfo? { indexByPeer[peer].map { peers[$0].info } }

    /// For tests: what the dispatcher knows of a station below.
    func load(of peer: UInt64) -> PeerLoad? {
        guard let index = indexByPeer[peer] else { return nil }
        let state = peers[index]
        return PeerLoad(
            credit: state.room, leases: state.leases.count, held: state.held, free: state.free,
            stepAge: state.stepAge, isLeaving: state.isLeaving, clock: state.clock)
    }

    /// The offset estimate for this session's peer; without samples when the session has ended.
    public func clock(of session: SessionRef) -> ClockOffset {
        guard let index = index(of: session) else { return ClockOffset() }
        return peers[index].clock
    }

    /// Whether a peer that takes work serves this model ("" asks for any).
    public func hasModel(_ model: String) -> Bool {
        guard let wanted = modelIndices[model] else { return false }
        for index in peers.indices where peers[index].isLive && !peers[index].isLeaving && peers[index].serves(wanted) {
            return true
        }
        return false
    }

    /// Makes works for this model wait, instead of being refused, before the first peer that serves it has come.
    public mutating func expect(model: String) { _ = intern(model) }

    // MARK: Inner parts

    func index(of session: SessionRef) -> Int? {
        let index = Int(session.index)
        guard index < peers.count, peers[index].isLive, peers[index].info.session == session else { return nil }
        return index
    }

    mutating func intern(_ model: String) -> Int? {
        if let index = modelIndices[model] { return index }
        guard modelIndices.count < Self.modelLimit else { return nil }
        let index = modelIndices.count
        modelIndices[model] = index
        return index
    }

    mutating func queue(_ frame: ControlFrame, to index: Int) {
        let session = peers[index].info.session
        actions.append(.control(peer: session.peer, session: session.session, frame))
    }

    /// Ends a session and its leases; with `reset`, tells the peer.
    mutating func end(_ index: Int, _ status: Status, reset: Bool) {
        let info = peers[index].info
        if reset {
            actions.append(
                .control(peer: info.session.peer, session: info.session.session, .reset(Reset(status: status))))
        }
        let works = peers[index].leases.removeAll()
        for work in works {
            places[work] = nil
            actions.append(.lost(work: work, peer: info.session.peer, .sessionEnded(status)))
        }
        counters.lost += UInt64(works.count)
        counters.sessionsEnded += 1
        peers[index].isLive = false
        indexByPeer[info.session.peer] = nil
        freePeers.append(index)
        demandChanged = true
        actions.append(.peerDown(info, status))
    }

    /// Refuses new sessions from now on; those that there are go on until they end or `close` is called.
    public mutating func drain() { isDraining = true }

    /// Ends every session and tells the peers so.
    public mutating func close(_ status: Status = .draining) {
        isDraining = true
        for index in peers.indices where peers[index].isLive { end(index, status, reset: true) }
    }
}
