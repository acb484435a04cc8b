import Wire

extension DialSide {
    /// Adds a link to one address of a station above. Call `connected` when its connection stands.
    /// - Returns: the link's id, not used before for about 65,000 links at the same place.
    public mutating func addLink() -> UInt32 {
        let index = links.firstIndex { $0.isRemoved } ?? links.count
        linksMade &+= 1
        let state = LinkState(id: linksMade << 16 | UInt32(index & 0xffff))
        if index == links.count { links.append(state) } else { links[index] = state }
        return state.id
    }

    /// Ends the link's session and forgets the link. Send what `next()` gives before closing its socket.
    public mutating func removeLink(_ link: UInt32) {
        guard let index = index(of: link) else { return }
        end(index, .draining, reset: true)
        links[index].isRemoved = true
    }

    /// The link's connection stands (with CURVE: its handshake is done). A connection that replaces one ends its session.
    public mutating func connected(_ link: UInt32, now: LinkTime) {
        guard let index = index(of: link) else { return }
        advance(to: now)
        end(index, .unavailable, reset: false)
        links[index].unansweredHellos = 0
        greetSoon(index)
    }

    /// The link's connection is gone.
    public mutating func disconnected(_ link: UInt32, now: LinkTime) {
        guard let index = index(of: link) else { return }
        advance(to: now)
        end(index, .unavailable, reset: false)
    }

    /// A frame could not be sent on this link: ends its session and asks for a new connection.
    public mutating func sendFailed(on link: UInt32) {
        guard let index = index(of: link) else { return }
        counters.sendFailures += 1
        end(index, .unavailable, reset: false)
        actions.append(.reconnect(link: link))
    }

    /// The station above broke the protocol (a frame that does not decode, a kind out of place): ends the session.
    public mutating func violated(on link: UInt32) {
        guard let index = index(of: link) else { return }
        violate(index, .protocolViolation)
    }

    /// Answers a health probe.
    public mutating func probeReply(_ number: UInt64, on link: UInt32) {
        guard let index = index(of: link), links[index].isUp else { return }
        queue(.probeReply(Count(number)), on: index)
    }

    /// Says goodbye on all links. Works still come until that is acknowledged; when all are ended and all trays taken,
    /// `drained` follows. At the owner's own bound it hands back what it still holds, by rows.
    public mutating func drain(now: LinkTime) {
        advance(to: now)
        guard !isDraining else { return }
        isDraining = true
        for index in links.indices where links[index].isUp {
            links[index].saidGoodbye = true
            queue(.goodbye, on: index)
        }
    }

    /// Lets time pass: hellos, silence. Call it several times per heartbeat interval.
    public mutating func tick(_ now: LinkTime) {
        advance(to: now)
        // Time in which this process itself stood still says nothing about those above: their frames are still unread.
        let gap = time - (lastTick ?? time)
        let pause = gap > settings.silenceLimit / 4 ? gap : 0
        lastTick = time
        if isWithholding {
            isTicking = true
            creditChanged = true
        }
        if isSuspended { creditChanged = true }
        for index in links.indices where !links[index].isRemoved {
            switch links[index].phase {
            case .down: break
            case .idle(let helloAt): if helloAt <= time, !isHung, !isSuspended { greet(index) }
            case .greeting(let since): if time - since > settings.helloTimeout { greetAgain(index) }
            case .up: watch(index, pause: pause)
            }
        }
    }

    private mutating func watch(_ index: Int, pause: LinkTime) {
        links[index].lastHeard = min(time, links[index].lastHeard + pause)
        if let recall = links[index].recall {
            links[index].recall?.since = min(time, recall.since + pause)
        }
        let limit = links[index].silenceLimit
        if time - links[index].lastHeard > limit {
            counters.silences += 1
            end(index, .timedOut, reset: true)
            greetSoon(index)
        } else if let recall = links[index].recall, time - recall.since > 2 * limit {
            violate(index, .timedOut)
        }
    }

    mutating func advance(to now: LinkTime) { time = max(time, now) }

    mutating func queue(_ frame: ControlFrame, on index: Int) {
        actions.append(.control(link: links[index].id, session: links[index].session, frame))
    }

    mutating func violate(_ index: Int, _ status: Status) {
        guard links[index].isUp else { return }
        counters.violations += 1
        end(index, status, reset: true)
        greetSoon(index)
    }

    /// Ends the link's session, if it has one; the works of it keep their slots until they are ended.
    mutating func end(_ index: Int, _ status: Status, reset: Bool) {
        guard links[index].isUp else {
            links[index].phase = .down
            return
        }
        let session = links[index].session
        if reset { queue(.reset(Reset(status: status)), on: index) }
        let orphans = links[index].held.compactMap { $0?.work }
        links[index].close()
        counters.sessionsEnded += 1
        counters.lost += UInt64(orphans.count)
        creditChanged = true
        actions.append(.sessionEnded(link: links[index].id, session: session, status, works: orphans))
    }

    /// A hello now, or as soon as the spacing allows.
    mutating func greetSoon(_ index: Int) {
        let due = links[index].lastHello.map { max(time, $0 + settings.helloSpacing) } ?? time
        links[index].phase = .idle(helloAt: due)
        // A session with an engine that hangs would end at its first heartbeat.
        if due <= time, !isHung, !isSuspended { greet(index) }
    }

    private mutating func greet(_ index: Int) {
        guard !isDraining else { return }
        attempts &+= 1
        links[index].attempt = attempts
        links[index].lastHello = time
        links[index].phase = .greeting(since: time)
        var hello = Hello(
            role: role, minimumVersion: key.isEmpty ? ProtocolVersion.minimum : 2,
            maximumVersion: settings.highestVersion, epoch: epoch, attempt: attempts,
            slots: slots, contextLength: contextLength, model: model,
            name: name)
        hello.key = key
        hello.longestToken = longestToken
        actions.append(.control(link: links[index].id, session: 0, .hello(hello)))
    }

    private mutating func greetAgain(_ index: Int) {
        links[index].unansweredHellos += 1
        if links[index].unansweredHellos < settings.hellosPerConnection {
            greet(index)
        } else {
            links[index].unansweredHellos = 0
            links[index].phase = .down
            actions.append(.reconnect(link: links[index].id))
        }
    }
}
