import Line

extension Simulation {
    mutating func injectFault() throws(SimulationFailure) {
        let kinds = (0..<SimulationConfiguration.Faults.count)
            .map { SimulationConfiguration.Faults(rawValue: 1 << $0) }
            .filter { configuration.faults.contains($0) }
        guard !kinds.isEmpty else { return }
        switch kinds[random.upTo(kinds.count)] {
        case .cut: if let id = anyConnection() { cut(id) }
        case .silentLoss: loseFrames()
        case .blackHole: blackHole()
        case .killWorker: killWorker(random.upTo(workers.count))
        case .killUpstream: killUpstream(random.upTo(upstreams.count))
        case .pause: pause()
        case .hang:
            let index = random.upTo(workers.count)
            workers[index].hungUntil = max(
                workers[index].hungUntil, now + random.between(200 * .millisecond, 4 * .second))
        case .drain: try drainWorker(random.upTo(workers.count))
        case .slots: try changeSlots(random.upTo(workers.count))
        case .links: try replaceLink(random.upTo(workers.count))
        case .cancel: for _ in 0..<3 { try cancel(upstream: random.upTo(upstreams.count)) }
        case .close: try closeUpstream(random.upTo(upstreams.count))
        case .probe: try probe(random.upTo(upstreams.count))
        default: break
        }
    }

    /// The end of the fault phase: whatever is dead or stands still comes back by itself within seconds.
    mutating func calmDown() {
        isCalm = true
        for id in connections.indices where connections[id].isBlackHole && connections[id].isUp { cut(id) }
    }

    private mutating func anyConnection() -> Int? {
        let up = connections.indices.filter { connections[$0].isUp }
        return up.isEmpty ? nil : up[random.upTo(up.count)]
    }

    /// The connection is replaced under the session: what is on the way is lost, and nobody is told.
    private mutating func loseFrames() {
        guard let id = anyConnection() else { return }
        if random.chance(60) { connections[id].up.removeAll() }
        if random.chance(60) { connections[id].down.removeAll() }
    }

    /// The network takes frames and delivers none, until the connection breaks.
    private mutating func blackHole() {
        guard let id = anyConnection() else { return }
        connections[id].isBlackHole = true
        connections[id].up.removeAll()
        connections[id].down.removeAll()
    }

    private mutating func killWorker(_ index: Int) {
        guard workers[index].isAlive else { return }
        if random.chance(30) {
            // The host goes too: nothing that was sent arrives.
            for link in workers[index].links {
                if let connection = link.connection { connections[connection].up.removeAll() }
            }
        }
        stop(worker: index, within: random.chance(50) ? 20 * .millisecond : 4 * .second)
    }

    private mutating func killUpstream(_ index: Int) {
        guard upstreams[index].isAlive else { return }
        upstreams[index].isAlive = false
        for id in connections.indices
        where connections[id].upstream == index && connections[id].upstreamBoot == upstreams[index].boot {
            cut(id, within: random.chance(80) ? 100 * .millisecond : 3 * .second)
        }
        agenda.add(
            .respawnUpstream(index, boot: upstreams[index].boot),
            at: now + random.between(50 * .millisecond, 1500 * .millisecond))
    }

    private mutating func closeUpstream(_ index: Int) throws(SimulationFailure) {
        guard upstreams[index].isAlive, now >= upstreams[index].pausedUntil else { return }
        upstreams[index].dispatcher.drain()
        // A station that goes takes its requests along; those above it hear of it otherwise.
        for place in upstreams[index].requests.indices { upstreams[index].requests[place].isCancelled = true }
        upstreams[index].dispatcher.close()
        try drain(upstream: index)
        upstreams[index].isAlive = false
        for id in connections.indices
        where connections[id].upstream == index && connections[id].upstreamBoot == upstreams[index].boot {
            // The last frames still arrive.
            agenda.add(.noticed(connection: id), at: now + random.between(130 * .millisecond, 300 * .millisecond))
        }
        agenda.add(
            .respawnUpstream(index, boot: upstreams[index].boot),
            at: now + random.between(50 * .millisecond, 1500 * .millisecond))
    }

    private mutating func pause() {
        let end = now + (random.chance(50) ? random.between(0, .second) : random.between(.second, 5 * .second))
        if random.chance(50) {
            let index = random.upTo(workers.count)
            workers[index].pausedUntil = max(workers[index].pausedUntil, end)
        } else {
            let index = random.upTo(upstreams.count)
            upstreams[index].pausedUntil = max(upstreams[index].pausedUntil, end)
        }
    }

    private mutating func drainWorker(_ index: Int) throws(SimulationFailure) {
        guard workers[index].isAlive, now >= workers[index].pausedUntil, !workers[index].dial.isDraining else { return }
        workers[index].dial.drain(now: time(ofWorker: index))
        agenda.add(
            .drainBound(index, boot: workers[index].boot), at: now + random.between(0, 300 * .millisecond))
        try drain(worker: index)
    }

    private mutating func changeSlots(_ index: Int) throws(SimulationFailure) {
        guard workers[index].isAlive, now >= workers[index].pausedUntil else { return }
        workers[index].dial.setSlots(UInt32(1 + random.upTo(2 * configuration.slots)))
        workers[index].bound = max(workers[index].bound, Int(workers[index].dial.slots))
        try drain(worker: index)
    }

    /// An address disappears, and a link to the same station by another address comes in its place.
    private mutating func replaceLink(_ index: Int) throws(SimulationFailure) {
        guard workers[index].isAlive, now >= workers[index].pausedUntil, !workers[index].links.isEmpty else { return }
        let link = workers[index].links[random.upTo(workers[index].links.count)]
        workers[index].dial.removeLink(link.id)
        try drain(worker: index)
        guard workers[index].isAlive else { return }
        workers[index].links.removeAll { $0.id == link.id }
        if let connection = link.connection {
            connections[connection].down.removeAll()
            agenda.add(.lostAbove(connection: connection), at: now + 50 * .millisecond)
        }
        addLink(index, to: link.upstream)
    }

    private mutating func probe(_ index: Int) throws(SimulationFailure) {
        guard upstreams[index].isAlive, now >= upstreams[index].pausedUntil else { return }
        for peer in upstreams[index].dispatcher.allPeers {
            upstreams[index].dispatcher.probe(UInt64(events), to: peer.session.peer)
        }
        try drain(upstream: index)
    }
}
