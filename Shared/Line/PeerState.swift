import Wire

/// All that a station above keeps for one session.
struct PeerState: Sendable {
    var info: PeerInfo
    var modelIndex: Int
    var attempt: UInt32
    var isLive = true
    /// The cumulative number of works that may be sent in this session, and the number sent.
    var limit: UInt64 = 0
    var sent: UInt64 = 0
    var leases = LeaseTable()
    var saidGoodbye = false
    var isRenewing = false
    /// What the peer believes of our demand: the last number stated, less the works sent since.
    var statedDemand: UInt64 = 0
    var traysTaken: UInt64 = 0
    var traysAcknowledged: UInt64 = 0
    var incoming = SequenceCheck()
    var outgoing: UInt64 = 0
    var lastHeard: LinkTime
    var heartbeatDue: LinkTime
    var held: UInt32 = 0
    var free: UInt32 = 0
    var stepAge: UInt64 = 0
    var clock = ClockOffset()
    /// The last heartbeats that went out, the newest last.
    var heartbeats: [SentHeartbeat] = []

    /// A heartbeat on its way: its answer shows that all frames up to it were read.
    struct SentHeartbeat: Sendable {
        var sequence: UInt64
        var sentAt: LinkTime
    }

    init(info: PeerInfo, modelIndex: Int, attempt: UInt32, now: LinkTime) {
        self.info = info
        self.modelIndex = modelIndex
        self.attempt = attempt
        lastHeard = now
        heartbeatDue = now
    }

    var room: UInt64 { limit - sent }

    var isLeaving: Bool { saidGoodbye || isRenewing }

    /// Whether a work may be sent now.
    var canTake: Bool { isLive && !isLeaving && limit > sent && leases.hasRoom }

    func serves(_ model: Int) -> Bool { model == 0 || model == modelIndex }
}
