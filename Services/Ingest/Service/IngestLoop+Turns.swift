import Line
import Logging
import OpenAIDoor
import Station
import Tables
import Telemetry
import Transport
import Wire

/// What is done in every turn and with every tick, and what the lines ask for.
extension IngestLoop {
    public func tick(_ now: UInt64) {
        mirrorMetrics(now)
        clients.tick(now)
        tokenizers.tick(now)
        endWaiting(now)
        endOverdue(now)
        endWithdrawn(now)
        if !claims.isEmpty { endClaims(now, all: !ledger.isConnected) }
        if !unread.isEmpty { endUnread(now) }
        if !questions.isEmpty { endQuestions(now) }
    }

    /// Ends requests that no tokenizer took in time: their clients learn it while they still listen.
    private func endWaiting(_ now: UInt64) {
        let limit = configuration.waitingNanoseconds
        guard tokenizers.dispatcher.oldestWait(now: now) > limit else { return }
        for work in requests.keys {
            guard let since = requests[work]?.waitingSince, since > 0, now > since + limit else { continue }
            conclude(
                work, finish: .failed, status: .unavailable,
                message: "No tokenizer with a worker took the request in \(limit / 1_000_000_000) s; retry later.")
        }
    }

    /// Ends requests whose clients' time is over.
    private func endOverdue(_ now: UInt64) {
        guard let next = nextDeadline, now >= next else { return }
        nextDeadline = nil
        for work in requests.keys {
            guard let request = requests[work], request.deadline > 0, !request.isEnding else { continue }
            if now >= request.deadline {
                counters.overdue += 1
                conclude(
                    work, finish: .failed, status: .deadlineExceeded,
                    message: "The request's time is over before its answer was complete.")
            } else {
                nextDeadline = min(nextDeadline ?? .max, request.deadline)
            }
        }
    }

    public func endTurn() {
        // What was reserved stands in the spool before the work for it goes out.
        ledger.commit(log: log)
        performActions()
        // The events stand in the spool before the frames that they conclude go out.
        ledger.commit(log: log)
        // What cannot be recorded is not handed out: it waits until that goes again.
        if ledger.writeFailure == nil {
            flushOutlets()
            flushHTTP()
        }
        performActions()
        // What clients acknowledged meanwhile opened windows.
        if ledger.writeFailure == nil { flushOutlets() }
        ledger.flush(log: log)
        if isDraining, requests.count == 0, unread.isEmpty {
            for continuation in drained { continuation.resume() }
            drained = []
        }
    }

    private func performActions() {
        var isBusy = true
        while isBusy {
            isBusy = false
            tokenizers.perform { action in
                isBusy = true
                handle(action)
            }
            clients.perform { action in
                isBusy = true
                handleClient(action)
            }
        }
    }

    private func handle(_ action: Dispatcher.Action) {
        switch action {
        case .control: break
        case .dispatch(let work, let session, let handle): dispatch(work, to: session, handle: handle)
        case .lost(let work, let peer, let reason): lost(work, by: tokenizerPeers[peer], reason)
        case .peerUp(let peer):
            tokenizerPeers[peer.session.peer] = peer
            log.info("ingest: tokenizer joined", metadata: ["tokenizer": "\(peer.name)", "model": "\(peer.model)"])
            if clients.dispatcher.model.isEmpty { clients.dispatcher.model = peer.model }
        case .peerDown(let peer, let status):
            if tokenizerPeers[peer.session.peer]?.session == peer.session { tokenizerPeers[peer.session.peer] = nil }
            askAgain(peer.session)
            log.info("ingest: tokenizer left", metadata: ["tokenizer": "\(peer.name)", "reason": "\(status)"])
        case .probeReply(_, let number): answer(probe: number, true)
        case .framesRead, .traysRead: break
        }
    }

    private func handleClient(_ action: Dispatcher.Action) {
        switch action {
        case .peerUp(let peer):
            // Its key was good a moment ago, when it said hello.
            guard case .success(let client) = access.client(of: peer.key) else {
                return clients.dispatcher.dismiss(peer.session.peer, .unauthenticated)
            }
            outlets[peer.session] = ClientOutlet(peer, client)
        case .peerDown(let peer, _):
            guard let outlet = outlets.removeValue(forKey: peer.session) else { return }
            outlet.tray.close()
            for work in outlet.works.values { cancel(work) }
        case .framesRead(let session, let sequence):
            guard let outlet = outlets[session] else { return }
            outlet.window.read(framesThrough: sequence)
            windowMoved(of: outlet)
        case .traysRead(let session, let tray):
            guard let outlet = outlets[session] else { return }
            guard outlet.window.read(traysThrough: tray) else { return clients.dispatcher.violated(by: session.peer) }
            windowMoved(of: outlet)
        case .control, .dispatch, .lost, .probeReply: break
        }
    }
}
