import Line
import Wire

/// Several upstream stations that share several workers, over links that fail: one run, decided by its seed.
///
/// Virtual time; the frames of a connection keep their order, those of different connections do not. In the first phase
/// requests come and faults happen; then faults stop, what was dead comes back, and every request has to end.
struct Simulation {
    let seed: UInt64
    let configuration: SimulationConfiguration
    var random: SimulationRandom
    var agenda = SimulationAgenda()
    var now: UInt64 = 0
    var upstreams: [SimulationUpstream] = []
    var workers: [SimulationWorker] = []
    var connections: [SimulationConnection] = []
    var isCalm = false
    var events = 0
    var worksMade: UInt64 = 0
    var statistics = SimulationStatistics()

    static let stepInterval = 30 * UInt64.millisecond
    static let tickInterval = 60 * UInt64.millisecond

    init(seed: UInt64, sabotage: SimulationConfiguration.Sabotage? = nil) {
        self.seed = seed
        configuration = SimulationConfiguration(seed: seed, sabotage: sabotage)
        random = SimulationRandom(seed: seed)
    }

    /// Runs to the end, or to the first broken rule.
    mutating func run() throws(SimulationFailure) {
        for index in 0..<configuration.upstreams {
            upstreams.append(makeUpstream(boot: 0, clock: random.between(0, 1000 * .second)))
            agenda.add(.upstreamTick(index, boot: 0), at: random.between(0, Self.tickInterval))
        }
        for index in 0..<configuration.workers {
            workers.append(makeWorker(index, boot: 0, clock: random.between(0, 1000 * .second)))
            start(index)
        }
        for _ in 0..<configuration.submissions {
            agenda.add(.submit, at: random.between(0, configuration.faultPhase))
        }
        if !configuration.faults.isEmpty {
            for _ in 0..<(4 + random.upTo(24)) {
                agenda.add(.fault, at: random.between(100 * .millisecond, configuration.faultPhase))
            }
        }
        try run(until: configuration.faultPhase)
        calmDown()
        let bound = now + 90 * .second
        while upstreams.contains(where: { $0.openCount > 0 }) {
            guard now < bound else {
                throw failure(.requestsEnd, "open 90 s after the last fault: \(openWorks())")
            }
            try run(until: now + .second)
        }
        // Two heartbeats and a second for the last recalls, hellos of the restarted and renewals to settle.
        try run(until: now + 3 * .second)
        try settleAndCheckCredit()
        for upstream in upstreams { statistics.absorb(upstream.dispatcher.counters) }
        for worker in workers { statistics.absorb(worker.dial.counters) }
    }

    func failure(_ rule: SimulationFailure.Rule, _ detail: String) -> SimulationFailure {
        SimulationFailure(rule: rule, detail: detail, seed: seed, time: now)
    }

    private func openWorks() -> String {
        upstreams.enumerated().map { index, upstream in
            let open = upstream.requests.filter { !$0.isEnded }
            return "upstream \(index): \(open.map { "\($0.work)\($0.lease == nil ? " waits" : " leased")" })"
        }.joined(separator: ", ")
    }

    mutating func run(until end: UInt64) throws(SimulationFailure) {
        while let (time, event) = agenda.popFirst() {
            if time > end {
                agenda.add(event, at: time)
                break
            }
            now = max(now, time)
            events += 1
            try handle(event)
        }
        now = max(now, end)
    }

    // MARK: Making stations

    func makeUpstream(boot: Int, clock: UInt64) -> SimulationUpstream {
        let epoch = UInt64(boot + 1) << 32 | clock & 0xffff_ffff
        var dispatcher = Dispatcher(
            role: .tokenizer, epoch: epoch, name: "upstream", settings: configuration.settings,
            acceptedRoles: [.inferenceWorker], leases: true)
        dispatcher.expect(model: "a")
        dispatcher.expect(model: "b")
        return SimulationUpstream(dispatcher: dispatcher, boot: boot, clock: clock)
    }

    func makeWorker(_ index: Int, boot: Int, clock: UInt64) -> SimulationWorker {
        let model = configuration.usesModels ? (index % 2 == 0 ? "a" : "b") : ""
        let dial = DialSide(
            role: .inferenceWorker, epoch: UInt64(boot + 1) << 32 | UInt64(index), name: "worker \(index)",
            model: model,
            contextLength: 2048, slots: UInt32(configuration.slots), settings: configuration.settings)
        return SimulationWorker(dial: dial, boot: boot, clock: clock, bound: configuration.slots, model: model)
    }

    mutating func start(_ worker: Int) {
        let boot = workers[worker].boot
        for upstream in upstreams.indices { addLink(worker, to: upstream) }
        agenda.add(.workerTick(worker, boot: boot), at: now + random.between(0, Self.tickInterval))
        agenda.add(.step(worker, boot: boot), at: now + random.between(0, Self.stepInterval))
    }

    mutating func addLink(_ worker: Int, to upstream: Int) {
        let id = workers[worker].dial.addLink()
        workers[worker].links.append(SimulationLink(id: id, upstream: upstream, peer: random.next() | 1))
        agenda.add(
            .connect(worker: worker, boot: workers[worker].boot, link: id),
            at: now + random.between(.millisecond, 80 * .millisecond))
    }

    // MARK: Events

    private mutating func handle(_ event: SimulationAgenda.Event) throws(SimulationFailure) {
        switch event {
        case .deliverUp(let connection): try deliverUp(connection)
        case .deliverDown(let connection): try deliverDown(connection)
        case .upstreamTick(let index, let boot):
            guard upstreams[index].boot == boot, upstreams[index].isAlive else { return }
            guard !isPaused(upstream: index, event) else { return }
            upstreams[index].dispatcher.tick(time(ofUpstream: index))
            try drain(upstream: index)
            agenda.add(event, at: now + Self.tickInterval)
        case .workerTick(let index, let boot):
            guard workers[index].boot == boot, workers[index].isAlive else { return }
            guard !isPaused(worker: index, event) else { return }
            workers[index].dial.tick(time(ofWorker: index))
            try drain(worker: index)
            agenda.add(event, at: now + Self.tickInterval)
        case .step(let index, let boot):
            guard workers[index].boot == boot, workers[index].isAlive else { return }
            guard !isPaused(worker: index, event) else { return }
            if now >= workers[index].hungUntil { try step(index) }
            if workers[index].isAlive { agenda.add(event, at: now + Self.stepInterval) }
        case .connect(let worker, let boot, let link): try connect(worker, boot: boot, link: link, event)
        case .noticed(let connection): try noticed(connection, event)
        case .lostAbove(let connection): forgetRoute(connection)
        case .fault: if !isCalm { try injectFault() }
        case .submit: try submit()
        case .respawnWorker(let index, let boot):
            guard workers[index].boot == boot, !workers[index].isAlive else { return }
            statistics.absorb(workers[index].dial.counters)
            workers[index] = makeWorker(index, boot: boot + 1, clock: workers[index].clock)
            start(index)
        case .respawnUpstream(let index, let boot):
            guard upstreams[index].boot == boot, !upstreams[index].isAlive else { return }
            statistics.absorb(upstreams[index].dispatcher.counters)
            upstreams[index] = makeUpstream(boot: boot + 1, clock: upstreams[index].clock + 1)
            agenda.add(.upstreamTick(index, boot: boot + 1), at: now)
        case .drainBound(let index, let boot):
            if workers[index].boot == boot { workers[index].mustHandBack = true }
        case .wake: break
        }
    }

    /// Puts the event off to the end of the pause.
    private mutating func isPaused(upstream index: Int, _ event: SimulationAgenda.Event) -> Bool {
        guard now < upstreams[index].pausedUntil else { return false }
        agenda.add(event, at: upstreams[index].pausedUntil)
        return true
    }

    private mutating func isPaused(worker index: Int, _ event: SimulationAgenda.Event) -> Bool {
        guard now < workers[index].pausedUntil else { return false }
        agenda.add(event, at: workers[index].pausedUntil)
        return true
    }

    func time(ofUpstream index: Int) -> UInt64 { now + upstreams[index].clock }

    func time(ofWorker index: Int) -> UInt64 { now + workers[index].clock }

    private mutating func deliverUp(_ id: Int) throws(SimulationFailure) {
        guard connections[id].isUp, !connections[id].up.isEmpty else { return }
        let upstream = connections[id].upstream
        guard upstreams[upstream].boot == connections[id].upstreamBoot else { return }
        guard !isPaused(upstream: upstream, .deliverUp(connection: id)) else { return }
        let frame = connections[id].up.removeFirst()
        try received(frame, from: connections[id].peer, upstream: upstream)
    }

    private mutating func deliverDown(_ id: Int) throws(SimulationFailure) {
        guard connections[id].isUp, !connections[id].down.isEmpty else { return }
        let worker = connections[id].worker
        guard workers[worker].boot == connections[id].workerBoot else { return }
        guard !isPaused(worker: worker, .deliverDown(connection: id)) else { return }
        let frame = connections[id].down.removeFirst()
        try received(frame, on: connections[id].link, worker: worker)
    }

    // MARK: Connections

    private mutating func connect(
        _ worker: Int, boot: Int, link: UInt32, _ event: SimulationAgenda.Event
    ) throws(SimulationFailure) {
        guard workers[worker].boot == boot, workers[worker].isAlive else { return }
        guard !isPaused(worker: worker, event) else { return }
        guard let place = workers[worker].links.firstIndex(where: { $0.id == link }) else { return }
        guard workers[worker].links[place].connection == nil else { return }
        let upstream = workers[worker].links[place].upstream
        guard upstreams[upstream].isAlive else {
            agenda.add(event, at: now + 150 * .millisecond)
            return
        }
        let peer = workers[worker].links[place].peer
        // The new connection takes the routing id over; what the old one still held is gone.
        if let old = upstreams[upstream].routes[peer] { connections[old].isUp = false }
        let id = connections.count
        connections.append(
            SimulationConnection(
                worker: worker, workerBoot: boot, link: link, upstream: upstream,
                upstreamBoot: upstreams[upstream].boot, peer: peer))
        upstreams[upstream].routes[peer] = id
        workers[worker].links[place].connection = id
        workers[worker].dial.connected(link, now: time(ofWorker: worker))
        try drain(worker: worker)
    }

    /// The worker learns that a connection is gone.
    private mutating func noticed(_ id: Int, _ event: SimulationAgenda.Event) throws(SimulationFailure) {
        let connection = connections[id]
        let worker = connection.worker
        guard workers[worker].boot == connection.workerBoot, workers[worker].isAlive else { return }
        guard !isPaused(worker: worker, event) else { return }
        guard let place = workers[worker].links.firstIndex(where: { $0.connection == id }) else { return }
        workers[worker].links[place].connection = nil
        workers[worker].dial.disconnected(connection.link, now: time(ofWorker: worker))
        agenda.add(
            .connect(worker: worker, boot: connection.workerBoot, link: connection.link),
            at: now + random.between(.millisecond, 300 * .millisecond))
        try drain(worker: worker)
    }

    private mutating func forgetRoute(_ id: Int) {
        let connection = connections[id]
        if upstreams[connection.upstream].routes[connection.peer] == id {
            upstreams[connection.upstream].routes[connection.peer] = nil
        }
    }

    /// Ends a connection: what is on the way is lost, each side learns it in its own time, the one above never as such.
    mutating func cut(_ id: Int, within delay: UInt64 = 100 * .millisecond) {
        guard connections[id].isUp else { return }
        statistics.cuts += 1
        connections[id].isUp = false
        connections[id].up.removeAll()
        connections[id].down.removeAll()
        agenda.add(.noticed(connection: id), at: now + random.between(0, delay))
        agenda.add(.lostAbove(connection: id), at: now + random.between(0, delay))
    }

    mutating func send(_ frame: SimulationFrame, up id: Int) {
        guard connections[id].isUp, !connections[id].isBlackHole else { return }
        let latency = random.chance(5) ? random.between(0, 120 * .millisecond) : random.between(0, 2 * .millisecond)
        let time = max(connections[id].lastUp, now + latency)
        connections[id].lastUp = time
        connections[id].up.append(frame)
        agenda.add(.deliverUp(connection: id), at: time)
    }

    mutating func send(_ frame: SimulationFrame, down id: Int) {
        guard connections[id].isUp, !connections[id].isBlackHole else { return }
        let latency = random.chance(5) ? random.between(0, 120 * .millisecond) : random.between(0, 2 * .millisecond)
        let time = max(connections[id].lastDown, now + latency)
        connections[id].lastDown = time
        connections[id].down.append(frame)
        agenda.add(.deliverDown(connection: id), at: time)
    }
}

/// What happened in a run, to see that the runs reach what they are meant to reach.
struct SimulationStatistics {
    var submitted = 0
    var finished = 0
    var cancelled = 0
    var refused = 0
    var lost = 0
    var handedBack = 0
    var cuts = 0
    var drained = 0
    var recalls = 0
    var renewals = 0
    var shutWindows = 0
    var gaps = 0
    var probes = 0
    var hungEngines = 0

    mutating func absorb(_ counters: LineCounters) {
        gaps += Int(counters.sequenceGaps)
        hungEngines += Int(counters.hungEngines)
    }

    static func += (left: inout Self, right: Self) {
        left.submitted += right.submitted
        left.finished += right.finished
        left.cancelled += right.cancelled
        left.refused += right.refused
        left.lost += right.lost
        left.handedBack += right.handedBack
        left.cuts += right.cuts
        left.drained += right.drained
        left.recalls += right.recalls
        left.renewals += right.renewals
        left.shutWindows += right.shutWindows
        left.gaps += right.gaps
        left.probes += right.probes
        left.hungEngines += right.hungEngines
    }
}
