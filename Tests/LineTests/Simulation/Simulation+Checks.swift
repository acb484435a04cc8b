import Wire

@testable import Line

extension Simulation {
    /// Rules of a station above, after each of its events.
    func check(upstream index: Int) throws(SimulationFailure) {
        guard upstreams[index].isAlive else { return }
        let dispatcher = upstreams[index].dispatcher
        guard dispatcher.counters.violations == 0 else {
            throw failure(.protocolKept, "upstream \(index) saw a violation")
        }
        var leased = 0
        for request in upstreams[index].requests where !request.isEnded {
            guard let place = dispatcher.places[request.work] else {
                throw failure(.requestLost, "work \(request.work) is neither waiting nor leased")
            }
            guard (place.node < 0) == (request.lease != nil) else {
                throw failure(.leaseEndsOnce, "work \(request.work): the dispatcher disagrees about its lease")
            }
            guard let lease = request.lease else { continue }
            leased += 1
            guard dispatcher.index(of: lease.session) == place.peer else {
                throw failure(.endedSessionHeld, "work \(request.work) is leased to a session that has ended")
            }
        }
        guard dispatcher.places.count == upstreams[index].openCount, dispatcher.leaseCount == leased else {
            throw failure(.leaseEndsOnce, "the dispatcher keeps works that have ended")
        }
        var counted = 0
        for peer in dispatcher.peers where peer.isLive {
            counted += peer.leases.count
            guard peer.sent <= peer.limit else { throw failure(.creditConserved, "sent more than was granted") }
            let waiting = dispatcher.demand(for: Int(peer.info.session.index))
            guard !peer.canTake || waiting == 0 else {
                throw failure(.requestLost, "\(waiting) works wait although a live peer has credit for them")
            }
            guard waiting == 0 || peer.statedDemand > 0 else {
                throw failure(.creditStranded, "a peer does not know that \(waiting) works wait for it")
            }
        }
        guard counted == leased else { throw failure(.leaseEndsOnce, "leases of ended sessions are kept") }
        try checkClocks(upstream: index)
    }

    private func checkClocks(upstream index: Int) throws(SimulationFailure) {
        for peer in upstreams[index].dispatcher.peers where peer.isLive {
            guard let offset = peer.clock.offset, let uncertainty = peer.clock.uncertainty,
                let connection = upstreams[index].routes[peer.info.session.peer]
            else { continue }
            let worker = workers[connections[connection].worker]
            guard worker.boot == connections[connection].workerBoot else { continue }
            let truth = Int64(bitPattern: worker.clock &- upstreams[index].clock)
            guard (truth - offset).magnitude <= uncertainty + 1 else {
                throw failure(.clockOffset, "estimate \(offset) ± \(uncertainty), truth \(truth)")
            }
        }
    }

    /// Rules of a station below, after each of its events.
    mutating func check(worker index: Int) throws(SimulationFailure) {
        let dial = workers[index].dial
        guard dial.counters.violations == 0 else {
            throw failure(.protocolKept, "worker \(index) saw a violation")
        }
        guard dial.heldCount == workers[index].jobs.count else {
            throw failure(.endedSessionHeld, "\(dial.heldCount) held for \(workers[index].jobs.count) jobs")
        }
        var taken = dial.heldCount
        for link in dial.links where link.isUp {
            guard link.accepted <= link.limit else { throw failure(.creditConserved, "took more than was granted") }
            taken += Int(link.outstanding)
            try checkPair(worker: index, link)
        }
        guard taken <= workers[index].bound else {
            throw failure(.creditConserved, "\(taken) held or granted, at most \(workers[index].bound) may be")
        }
        workers[index].bound = max(taken, Int(dial.slots))
        let isStill = now < workers[index].hungUntil || now < workers[index].pausedUntil
        for job in workers[index].jobs {
            guard job.orphanedAt != nil || dial.session(of: job.origin.link) == job.origin.session else {
                throw failure(.endedSessionHeld, "work \(job.work) outlives its session unnoticed")
            }
            guard let since = job.orphanedAt, !isStill else { continue }
            let last = max(since, max(workers[index].hungUntil, workers[index].pausedUntil))
            guard now - last <= 3 * Self.stepInterval else {
                throw failure(.endedSessionHeld, "work \(job.work) is held long after its session")
            }
        }
    }

    /// Both sides of a session: what the one above believes never exceeds what was granted.
    private func checkPair(worker index: Int, _ link: LinkState) throws(SimulationFailure) {
        guard let place = workers[index].links.firstIndex(where: { $0.id == link.id }) else { return }
        let upstream = upstreams[workers[index].links[place].upstream]
        let peer = workers[index].links[place].peer
        guard upstream.isAlive, let at = upstream.dispatcher.indexByPeer[peer] else { return }
        let state = upstream.dispatcher.peers[at]
        guard state.info.session.session == link.session else { return }
        guard state.limit <= link.limit, state.sent >= link.accepted else {
            throw failure(
                .creditConserved,
                "above: \(state.sent) of \(state.limit), below: \(link.accepted) of \(link.limit)")
        }
    }

    /// With nothing left to do and nothing on the way, both sides agree and every slot is granted to somebody.
    mutating func settleAndCheckCredit() throws(SimulationFailure) {
        var problem: String?
        for _ in 0..<400 {
            problem = creditProblem()
            if problem == nil { return }
            try run(until: now + 10 * .millisecond)
        }
        throw failure(.creditStranded, problem ?? "")
    }

    private func creditProblem() -> String? {
        for index in workers.indices where workers[index].isAlive {
            let dial = workers[index].dial
            var taken = dial.heldCount
            for link in dial.links where !link.isRemoved {
                guard link.isUp else { return "worker \(index) has a link without a session" }
                taken += Int(link.outstanding)
                guard let place = workers[index].links.firstIndex(where: { $0.id == link.id }) else { continue }
                let dispatcher = upstreams[workers[index].links[place].upstream].dispatcher
                guard let at = dispatcher.indexByPeer[workers[index].links[place].peer] else {
                    return "worker \(index) has a session that the station above does not know"
                }
                let state = dispatcher.peers[at]
                guard state.info.session.session == link.session else { return "two sessions on one link" }
                guard link.recall == nil else { return "a recall is open" }
                guard state.limit == link.limit, state.sent == link.accepted else {
                    return "above: \(state.sent) of \(state.limit), below: \(link.accepted) of \(link.limit)"
                }
            }
            if dial.isDraining { return "worker \(index) drains without end" }
            guard taken == Int(dial.slots) else {
                return "worker \(index): \(taken) of \(dial.slots) slots are held or granted"
            }
        }
        return workers.contains { !$0.isAlive } ? "a worker did not come back" : nil
    }
}
