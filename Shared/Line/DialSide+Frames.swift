public import Wire

extension DialSide {
    /// Handles a control frame from above.
    public mutating func received(_ frame: ControlFrame, on link: UInt32, header: FrameHeader, now: LinkTime) {
        guard let index = index(of: link) else { return }
        advance(to: now)
        switch frame {
        case .welcome(let welcome): open(welcome, at: index, header: header)
        case .reset(let reset): handle(reset, at: index, header: header)
        default:
            guard accepts(header, on: link, now: now) else { return }
            handle(frame, at: index, header: header)
        }
    }

    /// Checks a frame that is not control before its body is read: its session and its place in the sequence.
    /// - Returns: whether to go on; if not, the frame is to be dropped (what is to be answered is queued).
    public mutating func accepts(_ header: FrameHeader, on link: UInt32, now: LinkTime) -> Bool {
        guard let index = index(of: link) else { return false }
        advance(to: now)
        guard links[index].isUp, links[index].session == header.session else {
            counters.staleFrames += 1
            actions.append(.control(link: link, session: header.session, .reset(Reset(status: .unknownSession))))
            return false
        }
        switch links[index].incoming.take(header.sequence) {
        case .inOrder: break
        case .replayed:
            counters.replayedFrames += 1
            return false
        case .gap:
            counters.sequenceGaps += 1
            end(index, .protocolViolation, reset: true)
            greetSoon(index)
            return false
        }
        links[index].lastHeard = time
        return true
    }

    private mutating func open(_ welcome: Welcome, at index: Int, header: FrameHeader) {
        let expected = LinkSession.number(above: welcome.epoch, below: epoch, attempt: links[index].attempt)
        guard case .greeting = links[index].phase, welcome.session == expected, header.session == expected else {
            counters.staleFrames += 1
            return
        }
        let isSpoken = (ProtocolVersion.minimum...ProtocolVersion.current).contains(welcome.version)
        guard isSpoken, !isDraining else {
            let status: Status = isSpoken ? .draining : .versionMismatch
            actions.append(.control(link: links[index].id, session: expected, .reset(Reset(status: status))))
            links[index].phase = .idle(helloAt: time + settings.helloTimeout)
            return
        }
        links[index].open(welcome, header: header, now: time)
        counters.sessions += 1
        creditChanged = true
        actions.append(.sessionBegan(link: links[index].id, welcome))
    }

    private mutating func handle(_ reset: Reset, at index: Int, header: FrameHeader) {
        if links[index].isUp, links[index].session == header.session {
            end(index, reset.status, reset: false)
            greetSoon(index)
        } else if header.session == 0, case .greeting = links[index].phase {
            counters.refusals += 1
            links[index].unansweredHellos = 0
            links[index].phase = .idle(helloAt: time + settings.helloTimeout)
            actions.append(.refused(link: links[index].id, reset.status))
        }
    }

    private mutating func handle(_ frame: ControlFrame, at index: Int, header: FrameHeader) {
        switch frame {
        case .heartbeat(let heartbeat):
            setDemand(UInt64(heartbeat.waiting), at: index)
            traysTaken(through: heartbeat.traysTaken, at: index)
            guard links[index].isUp else { return }
            var reply = HeartbeatReply(
                originAt: header.sentAt, receivedAt: time, held: UInt32(clamping: heldCount),
                free: slots - min(slots, UInt32(clamping: heldCount)), stepAge: stepAge)
            reply.contextLength = contextLength
            queue(.heartbeatReply(reply), on: index)
        case .demand(let count):
            counters.demands += 1
            setDemand(count.value, at: index)
        case .recallAck(let count): recalled(to: count.value, at: index)
        case .goodbyeAck:
            guard links[index].saidGoodbye else { return violate(index, .protocolViolation) }
            links[index].isGoodbyeAcknowledged = true
            links[index].limit = links[index].accepted
            links[index].recall = nil
        case .trayAck(let count): traysTaken(through: count.value, at: index)
        case .cancel(let cancel):
            let slot = Int(cancel.handle & 0xffff)
            if slot < links[index].held.count, let held = links[index].held[slot], held.handle == cancel.handle {
                actions.append(.cancel(work: held.work))
            } else {
                counters.unknownHandles += 1
            }
        case .probe(let count): actions.append(.probe(link: links[index].id, number: count.value))
        default: violate(index, .protocolViolation)
        }
    }

    private mutating func setDemand(_ demand: UInt64, at index: Int) {
        links[index].demand = demand
        creditChanged = true
    }

    private mutating func recalled(to limit: UInt64, at index: Int) {
        guard links[index].recall != nil, limit >= links[index].accepted, limit <= links[index].limit else {
            return violate(index, .protocolViolation)
        }
        links[index].recall = nil
        links[index].limit = limit
        creditChanged = true
    }

    private mutating func traysTaken(through tray: UInt64, at index: Int) {
        guard tray <= links[index].traysSent else { return violate(index, .protocolViolation) }
        links[index].traysTaken = max(links[index].traysTaken, tray)
        if links[index].isWindowShut, links[index].traysSent - links[index].traysTaken < links[index].window {
            links[index].isWindowShut = false
            actions.append(.windowOpened(link: links[index].id))
        }
    }
}
