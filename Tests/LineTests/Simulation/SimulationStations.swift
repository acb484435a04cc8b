import Line
import Wire

/// A request as its upstream station knows it.
struct SimulationRequest {
    var work: UInt64
    var total: Int
    var generated = 0
    var attempts = 0
    var isCancelled = false
    var isEnded = false
    /// The lease that the checker saw begin and not end.
    var lease: (session: SessionRef, handle: UInt32)?
}

struct SimulationUpstream {
    var dispatcher: Dispatcher
    var boot: Int
    /// Own clock minus the simulation's.
    var clock: UInt64
    var isAlive = true
    var pausedUntil: UInt64 = 0
    /// The ROUTER's table: routing id to connection.
    var routes: [UInt64: Int] = [:]
    var requests: [SimulationRequest] = []

    var openCount: Int { requests.reduce(0) { $0 + ($1.isEnded ? 0 : 1) } }
}

/// A work in the simulated engine.
struct SimulationJob {
    var key: UInt64
    var origin: DialSide.Origin
    var work: UInt64
    var attempt: Int
    var position: Int
    var total: Int
    var isCancelled = false
    /// Its last row waits for a tray.
    var isDone = false
    var orphanedAt: UInt64?
}

struct SimulationLink {
    var id: UInt32
    var upstream: Int
    var peer: UInt64
    var connection: Int?
    var rows: [SimulationRow] = []
}

struct SimulationWorker {
    var dial: DialSide
    var boot: Int
    var clock: UInt64
    var isAlive = true
    var pausedUntil: UInt64 = 0
    var hungUntil: UInt64 = 0
    var links: [SimulationLink] = []
    var jobs: [SimulationJob] = []
    var hasDrained = false
    var mustHandBack = false
    /// What held works and credit together may be at most; more than the slots only after these were reduced.
    var bound: Int
    var model: String
}
