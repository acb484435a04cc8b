import Wire

extension Dispatcher {
    /// Takes a work: dispatches it when a peer has room, else lets it wait.
    /// - Parameters:
    ///   - model: which peers may have it; "" for any.
    ///   - affinity: a hash of the prompt's prefix: the peer that last got the same goes first if it has room.
    ///   - share: whose it is: where works wait, tenants take turns by weight.
    ///   - atFront: for a work that was dispatched before: it goes before those that wait, and is never refused as busy.
    public mutating func submit(
        _ work: UInt64, model: String = "", affinity: UInt64? = nil, share: TenantShare = TenantShare(),
        atFront: Bool = false, now: LinkTime
    ) -> Submission {
        guard usesLeases else { return .refused(.unavailable) }
        guard places[work] == nil else { return .refused(.conflict) }
        guard let wanted = modelIndices[model] else {
            return .refused(indexByPeer.isEmpty ? .unavailable : .unknownModel)
        }
        if let index = choose(wanted, affinity) {
            dispatch(work, to: index, affinity: affinity)
            return .dispatched
        }
        guard atFront || mayWait(share, model: wanted) else {
            counters.refusedWorks += 1
            return .refused(.busy)
        }
        let node = waits.insert(
            WaitQueue.Work(work: work, model: wanted, affinity: affinity, share: share), isReturned: atFront, now: now)
        places[work] = Place(node: node, peer: -1, handle: 0)
        demandChanged = true
        return .waiting
    }

    /// Whether one work more of a tenant may wait. Where all places are taken, a tenant below its share still gets one:
    /// nobody is refused since others ask for much. The places beyond the limit are few, limit × ln(tenants) at most.
    private func mayWait(_ share: TenantShare, model: Int) -> Bool {
        let own = waits.count(of: model, tenant: share.tenant)
        guard own < share.waitingLimit else { return false }
        return waits.count < settings.waitingLimit
            || own < waits.places(for: share, model: model, of: settings.waitingLimit)
    }

    /// A work that was given away took more tokens than was said when it was submitted (or, negative, less).
    public mutating func charge(_ tokens: Int, to share: TenantShare, model: String = "") {
        guard let model = modelIndices[model] else { return }
        waits.charge(tokens, to: share, model: model)
    }

    /// Cancels a work, wherever it is.
    public mutating func cancel(_ work: UInt64) -> Cancellation {
        guard let place = places[work] else { return .unknown }
        if place.node >= 0 {
            waits.remove(place.node)
            places[work] = nil
            demandChanged = true
            return .removed
        }
        if !place.isCancelled {
            places[work]?.isCancelled = true
            queue(.cancel(Cancel(handle: place.handle)), to: place.peer)
        }
        return .passedOn
    }

    /// The work that has this handle; nil when its lease has ended or never was, and what came for it is to be dropped.
    public mutating func lease(of handle: UInt32, in session: SessionRef) -> UInt64? {
        guard let index = index(of: session), let work = peers[index].leases.work(of: handle) else {
            counters.unknownHandles += 1
            return nil
        }
        return work
    }

    /// The peer said that the work is finished, failed or cancelled: its lease ends.
    /// - Returns: the work, or nil when there was no such lease.
    @discardableResult
    public mutating func finished(_ handle: UInt32, in session: SessionRef) -> UInt64? {
        guard let work = endLease(handle, in: session) else { return nil }
        counters.finished += 1
        renewIfEmpty(Int(session.index))
        return work
    }

    /// The work of a `dispatch` action cannot be put into a frame: nothing was sent, so its lease ends and the credit
    /// that it took is there again.
    public mutating func notSent(_ handle: UInt32, in session: SessionRef) {
        guard endLease(handle, in: session) != nil else { return }
        let index = Int(session.index)
        peers[index].sent -= min(1, peers[index].sent)
        if peers[index].saidGoodbye { peers[index].limit = peers[index].sent }
        serve(index)
        demandChanged = true
        renewIfEmpty(index)
    }

    /// A draining peer gave the work back: its lease ends, and `lost` is queued.
    public mutating func handedBack(_ handle: UInt32, in session: SessionRef) {
        guard let work = endLease(handle, in: session) else { return }
        counters.handedBack += 1
        actions.append(.lost(work: work, peer: session.peer, .handedBack))
        renewIfEmpty(Int(session.index))
    }

    /// A tray was read. Counts it and acknowledges when that is due; a gap ends the session.
    /// - Returns: whether its rows are to be used.
    public mutating func trayTaken(_ tray: UInt64, in session: SessionRef) -> Bool {
        guard let index = index(of: session) else { return false }
        guard tray == peers[index].traysTaken + 1 else {
            violated(by: session.peer)
            return false
        }
        peers[index].traysTaken = tray
        // A quarter of the window at a time: so the window never shuts for want of an acknowledgement.
        let due = peers[index].saidGoodbye ? 1 : max(1, UInt64(settings.trayWindow) / 4)
        if tray - peers[index].traysAcknowledged >= due { acknowledgeTrays(index) }
        return true
    }

    mutating func acknowledgeTrays(_ index: Int) {
        guard peers[index].traysTaken > peers[index].traysAcknowledged else { return }
        peers[index].traysAcknowledged = peers[index].traysTaken
        queue(.trayAck(Count(peers[index].traysTaken)), to: index)
    }

    /// Gives waiting works to a peer that has room again.
    mutating func serve(_ index: Int) {
        while peers[index].canTake, let waiting = waits.popFirst(for: peers[index].modelIndex) {
            dispatch(waiting.work.work, to: index, affinity: waiting.work.affinity)
            demandChanged = true
        }
    }

    private mutating func endLease(_ handle: UInt32, in session: SessionRef) -> UInt64? {
        guard let index = index(of: session), let work = peers[index].leases.end(handle) else {
            counters.unknownHandles += 1
            return nil
        }
        places[work] = nil
        return work
    }

    /// A session whose handles run out ends when that costs nothing; the peer says hello again.
    private mutating func renewIfEmpty(_ index: Int) {
        if peers[index].isRenewing, peers[index].leases.count == 0 { end(index, .ok, reset: true) }
    }

    /// The peer with the most room; of equals the one with the fewest leases.
    private func choose(_ model: Int, _ affinity: UInt64?) -> Int? {
        if let affinity, let session = affinities.session(for: affinity), let index = index(of: session),
            peers[index].canTake, peers[index].serves(model)
        {
            return index
        }
        var best = -1
        for index in peers.indices where peers[index].canTake && peers[index].serves(model) {
            if best < 0 || peers[index].room > peers[best].room
                || (peers[index].room == peers[best].room && peers[index].leases.count < peers[best].leases.count)
            {
                best = index
            }
        }
        return best < 0 ? nil : best
    }

    private mutating func dispatch(_ work: UInt64, to index: Int, affinity: UInt64?) {
        guard let handle = peers[index].leases.begin(work) else { return }
        peers[index].sent += 1
        peers[index].statedDemand -= min(1, peers[index].statedDemand)
        if peers[index].sent >= UInt64(settings.handlesPerSession) {
            peers[index].isRenewing = true
            demandChanged = true
        }
        places[work] = Place(node: -1, peer: index, handle: handle)
        counters.dispatched += 1
        let session = peers[index].info.session
        if let affinity { affinities.note(affinity, session) }
        actions.append(.dispatch(work: work, to: session, handle: handle))
    }

    /// Tells peers how many works wait for them, where what they believe is far from it.
    mutating func stateDemand() {
        guard demandChanged else { return }
        demandChanged = false
        guard usesLeases else { return }
        for index in peers.indices where peers[index].isLive {
            let waiting = demand(for: index)
            let stated = peers[index].statedDemand
            guard (waiting == 0) != (stated == 0) || waiting > stated * 2 else { continue }
            counters.demands += 1
            peers[index].statedDemand = waiting
            queue(.demand(Count(waiting)), to: index)
        }
    }

    /// Works that wait for this peer.
    func demand(for index: Int) -> UInt64 {
        guard usesLeases, !peers[index].isLeaving else { return 0 }
        let model = peers[index].modelIndex
        return UInt64(waits.count(of: 0) + (model > 0 ? waits.count(of: model) : 0))
    }
}
