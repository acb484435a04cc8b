import Line
import Wire

extension Simulation {
    mutating func received(
        _ frame: SimulationFrame, on link: UInt32, worker index: Int
    ) throws(SimulationFailure) {
        guard workers[index].isAlive else { return }
        switch frame.payload {
        case .control(let control):
            workers[index].dial.received(control, on: link, header: frame.header, now: time(ofWorker: index))
        case .generate(let handle, let work, let attempt, let position, let total):
            guard workers[index].dial.accepts(frame.header, on: link, now: time(ofWorker: index)) else { break }
            switch workers[index].dial.accept(handle, on: link, now: time(ofWorker: index)) {
            case .accepted(let key):
                guard let origin = workers[index].dial.origin(of: key), origin.handle == handle else {
                    throw failure(.wrongHandle, "accepted work has no origin")
                }
                workers[index].jobs.append(
                    SimulationJob(
                        key: key, origin: origin, work: work, attempt: attempt, position: position, total: total))
            case .refused(let status): throw failure(.creditConserved, "work \(work) was refused: \(status)")
            }
        case .tray: throw failure(.wrongHandle, "a tray came from above")
        }
        try drain(worker: index)
    }

    /// One step of the engine: a token for each work, one tray for each link.
    mutating func step(_ index: Int) throws(SimulationFailure) {
        let held = workers[index].jobs
        for job in held where job.orphanedAt != nil && configuration.sabotage != .keepOrphans {
            workers[index].dial.ended(job.key)
        }
        if configuration.sabotage != .keepOrphans { workers[index].jobs.removeAll { $0.orphanedAt != nil } }
        for place in workers[index].jobs.indices {
            let job = workers[index].jobs[place]
            guard !job.isDone, job.orphanedAt == nil else { continue }
            var finish: FinishReason = job.position + 1 >= job.total ? .stop : .none
            if workers[index].mustHandBack { finish = .handedBack }
            if job.isCancelled { finish = .cancelled }
            if finish != .none { workers[index].jobs[place].isDone = true }
            workers[index].jobs[place].position += 1
            if configuration.sabotage == .forgetFinish, finish == .stop { continue }
            guard let link = workers[index].links.firstIndex(where: { $0.id == job.origin.link }) else { continue }
            workers[index].links[link].rows.append(
                SimulationRow(
                    handle: job.origin.handle, work: job.work, attempt: job.attempt, position: job.position,
                    finish: finish))
        }
        if !held.isEmpty { workers[index].dial.stepped(now: time(ofWorker: index)) }
        for link in workers[index].links.map(\.id) { flush(link, worker: index) }
        try drain(worker: index)
    }

    private mutating func flush(_ link: UInt32, worker index: Int) {
        guard let place = workers[index].links.firstIndex(where: { $0.id == link }),
            !workers[index].links[place].rows.isEmpty, let session = workers[index].dial.session(of: link)
        else { return }
        guard let number = workers[index].dial.trayToSend(on: link) else {
            statistics.shutWindows += 1
            return
        }
        var rows = workers[index].links[place].rows
        workers[index].links[place].rows.removeAll()
        if configuration.sabotage == .swapHandles, rows.count > 1, rows[0].handle != rows[1].handle {
            let first = rows[0].handle
            rows[0].handle = rows[1].handle
            rows[1].handle = first
        }
        guard send(.tray(number: number, rows: rows), session: session, on: link, worker: index) else { return }
        for row in rows where row.finish != .none {
            guard
                let job = workers[index].jobs.firstIndex(where: {
                    $0.work == row.work && $0.attempt == row.attempt && $0.origin.link == link
                })
            else { continue }
            workers[index].dial.ended(workers[index].jobs[job].key)
            workers[index].jobs.remove(at: job)
        }
    }

    mutating func drain(worker index: Int) throws(SimulationFailure) {
        while let action = workers[index].dial.next() {
            switch action {
            case .control(_, _, .credit) where configuration.sabotage == .swallowCredit: break
            case .control(let link, let session, .credit(let count))
            where configuration.sabotage == .inflateCredit && count.value > 3:
                send(.control(.credit(Count(count.value + 2))), session: session, on: link, worker: index)
            case .control(let link, let session, let frame):
                if case .recall = frame { statistics.recalls += 1 }
                send(.control(frame), session: session, on: link, worker: index)
            case .cancel(let key):
                if let job = workers[index].jobs.firstIndex(where: { $0.key == key }) {
                    workers[index].jobs[job].isCancelled = true
                }
            case .sessionBegan: break
            case .sessionEnded(let link, let session, _, let works):
                try sessionEnded(link, session, works, worker: index)
            case .refused: break
            case .windowOpened(let link): flush(link, worker: index)
            case .reconnect(let link): reconnect(link, worker: index)
            case .probe(let link, let number): workers[index].dial.probeReply(number, on: link)
            case .drained: try drained(index)
            }
        }
        if workers[index].isAlive { try check(worker: index) }
    }

    private mutating func sessionEnded(
        _ link: UInt32, _ session: UInt32, _ works: [UInt64], worker index: Int
    ) throws(SimulationFailure) {
        for job in workers[index].jobs.indices
        where workers[index].jobs[job].origin.link == link && workers[index].jobs[job].origin.session == session {
            guard works.contains(workers[index].jobs[job].key) else {
                throw failure(.endedSessionHeld, "a session ended without naming all its works")
            }
            workers[index].jobs[job].orphanedAt = now
        }
        if let place = workers[index].links.firstIndex(where: { $0.id == link }) {
            workers[index].links[place].rows.removeAll()
        }
    }

    private mutating func reconnect(_ link: UInt32, worker index: Int) {
        guard let place = workers[index].links.firstIndex(where: { $0.id == link }) else { return }
        if let connection = workers[index].links[place].connection {
            connections[connection].isUp = false
            agenda.add(.lostAbove(connection: connection), at: now + random.between(0, 50 * .millisecond))
            workers[index].links[place].connection = nil
        }
        agenda.add(
            .connect(worker: index, boot: workers[index].boot, link: link),
            at: now + random.between(.millisecond, 100 * .millisecond))
    }

    private mutating func drained(_ index: Int) throws(SimulationFailure) {
        guard workers[index].jobs.isEmpty else {
            throw failure(.drainLosesNothing, "drained while \(workers[index].jobs.count) works are held")
        }
        statistics.drained += 1
        workers[index].hasDrained = true
        stop(worker: index, within: 5 * .millisecond)
    }

    /// The worker's process is gone, and its connections with it.
    mutating func stop(worker index: Int, within delay: UInt64) {
        workers[index].isAlive = false
        for link in workers[index].links {
            guard let connection = link.connection, connections[connection].isUp else { continue }
            // What was sent before the end still arrives, unless the host died with it.
            connections[connection].down.removeAll()
            agenda.add(.lostAbove(connection: connection), at: now + random.between(0, delay))
        }
        agenda.add(
            .respawnWorker(index, boot: workers[index].boot),
            at: now + random.between(50 * .millisecond, 1500 * .millisecond))
    }

    @discardableResult
    private mutating func send(
        _ payload: SimulationPayload, session: UInt32, on link: UInt32, worker index: Int
    ) -> Bool {
        let sequence = workers[index].dial.nextStamp(on: link, session: session).sequence
        let header = FrameHeader(
            kind: payload.kind, session: session, sequence: sequence, sentAt: time(ofWorker: index))
        guard let connection = workers[index].links.first(where: { $0.id == link })?.connection else {
            workers[index].dial.sendFailed(on: link)
            return false
        }
        send(SimulationFrame(header: header, payload: payload), up: connection)
        return true
    }
}
