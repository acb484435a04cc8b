import Line
import Wire

extension Simulation {
    mutating func submit() throws(SimulationFailure) {
        let index = random.upTo(upstreams.count)
        guard upstreams[index].isAlive, now >= upstreams[index].pausedUntil else { return }
        for _ in 0..<(1 + random.upTo(3)) {
            worksMade += 1
            let request = SimulationRequest(work: worksMade, total: 1 + random.upTo(6))
            statistics.submitted += 1
            try submit(request.work, upstream: index, isNew: true) { upstream in upstream.requests.append(request) }
        }
        try drain(upstream: index)
    }

    private mutating func submit(
        _ work: UInt64, upstream index: Int, isNew: Bool, taken: (inout SimulationUpstream) -> Void
    ) throws(SimulationFailure) {
        let model = ["", "a", "b"][!configuration.usesModels ? 0 : Int(work) % (configuration.workers > 1 ? 3 : 2)]
        let affinity: UInt64? = work % 3 == 0 ? work % 5 : nil
        let result = upstreams[index].dispatcher.submit(
            work, model: model, affinity: affinity, atFront: !isNew, now: time(ofUpstream: index))
        switch result {
        case .dispatched, .waiting: taken(&upstreams[index])
        case .refused(.busy) where isNew: statistics.refused += 1
        case .refused(let status): throw failure(.requestLost, "work \(work) was refused: \(status)")
        }
    }

    mutating func cancel(upstream index: Int) throws(SimulationFailure) {
        let open = upstreams[index].requests.indices.filter { !upstreams[index].requests[$0].isEnded }
        guard upstreams[index].isAlive, now >= upstreams[index].pausedUntil, !open.isEmpty else { return }
        let place = open[random.upTo(open.count)]
        upstreams[index].requests[place].isCancelled = true
        switch upstreams[index].dispatcher.cancel(upstreams[index].requests[place].work) {
        case .removed:
            guard upstreams[index].requests[place].lease == nil else {
                throw failure(.leaseEndsOnce, "a leased work was removed from the queue")
            }
            upstreams[index].requests[place].isEnded = true
            statistics.cancelled += 1
        case .passedOn: break
        case .unknown: throw failure(.requestLost, "an open work is not known to the dispatcher")
        }
        try drain(upstream: index)
    }

    mutating func received(
        _ frame: SimulationFrame, from peer: UInt64, upstream index: Int
    ) throws(SimulationFailure) {
        guard upstreams[index].isAlive else { return }
        switch frame.payload {
        case .control(let control):
            upstreams[index].dispatcher.received(
                control, from: peer, header: frame.header, now: time(ofUpstream: index))
        case .tray(let number, let rows):
            if let session = upstreams[index].dispatcher.accepts(
                frame.header, from: peer, now: time(ofUpstream: index)),
                upstreams[index].dispatcher.trayTaken(number, in: session)
            {
                for row in rows { try take(row, in: session, upstream: index) }
            }
        case .generate: throw failure(.wrongHandle, "work came from below")
        }
        try drain(upstream: index)
    }

    private mutating func take(
        _ row: SimulationRow, in session: SessionRef, upstream index: Int
    ) throws(SimulationFailure) {
        guard let work = upstreams[index].dispatcher.lease(of: row.handle, in: session) else { return }
        guard let place = upstreams[index].requests.firstIndex(where: { $0.work == work }) else {
            throw failure(.wrongHandle, "lease of an unknown work \(work)")
        }
        let request = upstreams[index].requests[place]
        guard work == row.work, row.attempt == request.attempts else {
            throw failure(.wrongHandle, "row of \(row.work) (attempt \(row.attempt)) came to \(work)")
        }
        guard let lease = request.lease, lease.session == session, lease.handle == row.handle else {
            throw failure(.leaseEndsOnce, "the dispatcher has a lease of \(work) that did not begin or has ended")
        }
        guard row.position == request.generated else {
            throw failure(.rowsInOrder, "work \(work): row \(row.position) after \(request.generated) tokens")
        }
        switch row.finish {
        case .none: upstreams[index].requests[place].generated += 1
        case .handedBack:
            upstreams[index].dispatcher.handedBack(row.handle, in: session)
        default:
            if row.finish == .stop { upstreams[index].requests[place].generated += 1 }
            guard upstreams[index].dispatcher.finished(row.handle, in: session) == work else {
                throw failure(.leaseEndsOnce, "the lease of \(work) did not end")
            }
            try end(place, row.finish, upstream: index)
        }
    }

    private mutating func end(
        _ place: Int, _ finish: FinishReason, upstream index: Int
    ) throws(SimulationFailure) {
        let request = upstreams[index].requests[place]
        guard !request.isEnded else { throw failure(.leaseEndsOnce, "work \(request.work) ended twice") }
        if finish == .stop, request.generated != request.total {
            throw failure(.rowsInOrder, "work \(request.work) ended after \(request.generated) of \(request.total)")
        }
        if finish == .cancelled, !request.isCancelled {
            throw failure(.wrongHandle, "work \(request.work) was not cancelled")
        }
        upstreams[index].requests[place].lease = nil
        upstreams[index].requests[place].isEnded = true
        if finish == .stop { statistics.finished += 1 } else { statistics.cancelled += 1 }
        if configuration.sabotage == .resubmitFinished, finish == .stop {
            _ = upstreams[index].dispatcher.submit(request.work, atFront: true, now: time(ofUpstream: index))
        }
    }

    mutating func drain(upstream index: Int) throws(SimulationFailure) {
        while let action = upstreams[index].dispatcher.next() {
            switch action {
            case .control(_, _, .recallAck) where configuration.sabotage == .swallowRecallAck: break
            case .control(let peer, let session, let frame):
                if case .reset(Reset(status: .ok)) = frame { statistics.renewals += 1 }
                send(.control(frame), session: session, to: peer, upstream: index)
            case .dispatch(let work, let session, let handle):
                try dispatch(work, to: session, handle: handle, upstream: index)
            case .lost(let work, _, let reason): try lost(work, reason, upstream: index)
            case .peerUp, .framesRead, .traysRead: break
            case .peerDown(let info, _):
                let held = upstreams[index].requests.filter { $0.lease?.session == info.session }
                guard held.isEmpty else {
                    throw failure(.endedSessionHeld, "leases of \(held.map(\.work)) outlive their session")
                }
            case .probeReply: statistics.probes += 1
            }
        }
        try check(upstream: index)
    }

    private mutating func dispatch(
        _ work: UInt64, to session: SessionRef, handle: UInt32, upstream index: Int
    ) throws(SimulationFailure) {
        guard let place = upstreams[index].requests.firstIndex(where: { $0.work == work }) else {
            throw failure(.wrongHandle, "dispatch of an unknown work \(work)")
        }
        guard !upstreams[index].requests[place].isEnded else {
            throw failure(.leaseEndsOnce, "work \(work) is dispatched after its end")
        }
        guard upstreams[index].requests[place].lease == nil else {
            throw failure(.leaseEndsOnce, "work \(work) is dispatched while it is leased")
        }
        upstreams[index].requests[place].lease = (session, handle)
        upstreams[index].requests[place].attempts += 1
        let request = upstreams[index].requests[place]
        send(
            .generate(
                handle: handle, work: work, attempt: request.attempts, position: request.generated,
                total: request.total),
            session: session.session, to: session.peer, upstream: index)
    }

    private mutating func lost(
        _ work: UInt64, _ reason: LossReason, upstream index: Int
    ) throws(SimulationFailure) {
        guard let place = upstreams[index].requests.firstIndex(where: { $0.work == work }) else {
            throw failure(.wrongHandle, "loss of an unknown work \(work)")
        }
        guard !upstreams[index].requests[place].isEnded else {
            throw failure(.leaseEndsOnce, "work \(work) is lost after its end")
        }
        if reason == .handedBack { statistics.handedBack += 1 } else { statistics.lost += 1 }
        upstreams[index].requests[place].lease = nil
        if upstreams[index].requests[place].isCancelled {
            upstreams[index].requests[place].isEnded = true
            statistics.cancelled += 1
        } else {
            try submit(work, upstream: index, isNew: false) { _ in }
        }
    }

    private mutating func send(
        _ payload: SimulationPayload, session: UInt32, to peer: UInt64, upstream index: Int
    ) {
        let sequence = upstreams[index].dispatcher.nextStamp(to: peer, session: session).sequence
        let header = FrameHeader(
            kind: payload.kind, session: session, sequence: sequence, sentAt: time(ofUpstream: index))
        if let connection = upstreams[index].routes[peer] {
            send(SimulationFrame(header: header, payload: payload), down: connection)
        } else {
            upstreams[index].dispatcher.sendFailed(to: peer)
        }
    }
}
