import Line
import Logging
import Spool
import Station
import Tables
import Telemetry
import Tokenization
import Transport
import Wire

/// What is done in every turn and with every tick, and what the lines ask for.
extension TokenizerLoop {
    public func tick(_ now: UInt64) {
        mirrorMetrics(now)
        workers.tick(now)
        ingests.tick(now)
        endOverdue(now)
        dialling.refresh(now: now, ingests, reactor: reactor) { [weak self] name, addresses in
            self?.assumeIsolated { $0.ingests.resolved(name, to: addresses) }
        }
    }

    /// Ends what nobody waits for any more, wherever it is.
    private func endOverdue(_ now: UInt64) {
        guard now >= nextDeadline else { return }
        nextDeadline = .max
        for key in streams.keys {
            guard let stream = streams[key], !stream.isAnswered else { continue }
            if now >= stream.deadline {
                failOverdue(key, stream)
            } else {
                nextDeadline = min(nextDeadline, stream.deadline)
            }
        }
    }

    public func endTurn() {
        affordableBytes = Self.bytesPerTurn
        performActions()
        updateSlots()
        ledger.commit(log: log)
        flushTrays()
        performActions()
        ledger.flush(log: log)
    }

    private func performActions() {
        var isBusy = true
        while isBusy {
            isBusy = false
            workers.perform { action in
                isBusy = true
                handle(action)
            }
            ingests.perform { action in
                isBusy = true
                handle(action)
            }
        }
    }

    private func handle(_ action: Dispatcher.Action) {
        switch action {
        case .control: break
        case .dispatch(let work, let session, let handle): dispatch(work, to: session, handle: handle)
        case .lost(let work, let peer, let reason):
            lost(work, by: workerPeers[peer], reason)
        case .peerUp(let peer):
            workerPeers[peer.session.peer] = peer
            lastContextLength = Int(peer.contextLength)
            stateContext()
            log.info("tokenizer: worker joined", metadata: ["worker": "\(peer.name)", "slots": "\(peer.slots)"])
        case .peerDown(let peer, let status):
            if workerPeers[peer.session.peer]?.session == peer.session { workerPeers[peer.session.peer] = nil }
            stateContext()
            log.info("tokenizer: worker left", metadata: ["worker": "\(peer.name)", "reason": "\(status)"])
        case .framesRead, .traysRead: break
        case .probeReply(_, let number):
            if let probe = probes.removeValue(forKey: number) { ingests.side.probeReply(probe.number, on: probe.link) }
        }
    }

    /// Tells the ingests how long a prompt may be, so that they refuse what cannot fit before it comes here.
    private func stateContext() {
        ingests.side.contextLength = workers.dispatcher.largestContext ?? UInt32(clamping: lastContextLength)
    }

    private func handle(_ action: DialSide.Action) {
        switch action {
        case .control, .reconnect, .windowOpened: break
        case .cancel(let work): cancel(work)
        case .sessionBegan(let link, let welcome):
            log.info("tokenizer: joined", metadata: ["ingest": "\(welcome.name)"])
            trays[link] = RowTray(link: link, session: welcome.session)
        case .sessionEnded(let link, _, let status, let works):
            log.info("tokenizer: session ended", metadata: ["reason": "\(status)", "requests": "\(works.count)"])
            trays.removeValue(forKey: link)?.close()
            for work in works { abandon(work) }
        case .refused(_, let status):
            log.warning("tokenizer: ingest refuses", metadata: ["reason": "\(status)"])
        case .probe(let link, let number): probe(link, number)
        case .drained: resumeDrained()
        }
    }

    private func probe(_ link: UInt32, _ number: UInt64) {
        // Unanswered ones are forgotten: whoever asked has given up by then.
        if probes.count > 1024 { probes = [:] }
        for peer in workers.dispatcher.allPeers {
            lastProbe += 1
            probes[lastProbe] = (link, number)
            workers.dispatcher.probe(lastProbe, to: peer.session.peer)
        }
    }

    private func cancel(_ work: UInt64) {
        guard let key = streamByUpperWork[work], let stream = streams[key] else { return }
        counters.cancels += 1
        stream.isCancelled = true
        if case .encoding(let ticket) = stream.state {
            if let ticket { pool.cancel(ticket) }
            answer(key, stream, finish: .cancelled)
            streams.remove(key)
            return
        }
        if workers.dispatcher.cancel(key) == .removed {
            answer(key, stream, finish: .cancelled)
            streams.remove(key)
        }
    }

    /// The session of this work has ended: nobody waits for it any more.
    private func abandon(_ work: UInt64) {
        ingests.side.ended(work)
        guard let key = streamByUpperWork[work], let stream = streams[key] else { return }
        streamByUpperWork[work] = nil
        if case .encoding(let ticket) = stream.state {
            if let ticket { pool.cancel(ticket) }
            streams.remove(key)
            return
        }
        stream.state = .answered
        cancelBelow(key)
    }

    /// Room above follows room below, so that requests wait at ingest and nowhere else.
    private func updateSlots() {
        let room = workers.dispatcher.room + configuration.lookahead
        if room > 0 { ledger.keepRoom(forWorks: room, log: log) }
        // Without a worker nothing can be done; what cannot be recorded must not be.
        let takesWork = workers.dispatcher.peerCount > 0 && ledger.failure == nil
        let slots = takesWork ? UInt32(clamping: room) : 0
        if slots != ingests.side.slots { ingests.side.setSlots(slots) }
    }
}
