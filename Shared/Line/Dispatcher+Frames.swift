public import Wire

extension Dispatcher {
    /// Handles a control frame from below.
    public mutating func received(
        _ frame: ControlFrame, from peer: UInt64, header: FrameHeader, now: LinkTime
    ) {
        switch frame {
        case .hello(let hello): greet(hello, from: peer, now: now)
        case .reset(let reset):
            guard let index = indexByPeer[peer], peers[index].info.session.session == header.session else { return }
            end(index, reset.status, reset: false)
        default:
            guard let session = accepts(header, from: peer, now: now) else { return }
            handle(frame, at: Int(session.index), header: header, now: now)
        }
    }

    /// Checks a frame that is not control before its body is read: its session and its place in the sequence.
    /// - Returns: the session, or nil when the frame is to be dropped (what is to be answered is queued).
    public mutating func accepts(_ header: FrameHeader, from peer: UInt64, now: LinkTime) -> SessionRef? {
        guard let index = indexByPeer[peer], peers[index].info.session.session == header.session else {
            counters.staleFrames += 1
            actions.append(
                .control(peer: peer, session: header.session, .reset(Reset(status: .unknownSession))))
            return nil
        }
        switch peers[index].incoming.take(header.sequence) {
        case .inOrder: break
        case .replayed:
            counters.replayedFrames += 1
            return nil
        case .gap:
            counters.sequenceGaps += 1
            end(index, .protocolViolation, reset: true)
            return nil
        }
        peers[index].lastHeard = max(peers[index].lastHeard, now)
        return peers[index].info.session
    }

    /// Ends the session of a peer that broke the protocol (a frame that does not decode, a kind out of place).
    public mutating func violated(by peer: UInt64) {
        guard let index = indexByPeer[peer] else { return }
        violate(index)
    }

    /// Ends the session of a peer to which a frame could not be sent.
    public mutating func sendFailed(to peer: UInt64) {
        guard let index = indexByPeer[peer] else { return }
        counters.sendFailures += 1
        end(index, .unavailable, reset: false)
    }

    /// Sends a health probe to a peer; its answer comes as `probeReply`.
    public mutating func probe(_ number: UInt64, to peer: UInt64) {
        guard let index = indexByPeer[peer] else { return }
        queue(.probe(Count(number)), to: index)
    }

    private mutating func violate(_ index: Int) {
        counters.violations += 1
        end(index, .protocolViolation, reset: true)
    }

    /// Ends the session of a peer, and tells it why; nothing when it has none.
    public mutating func dismiss(_ peer: UInt64, _ status: Status) {
        guard let index = indexByPeer[peer] else { return }
        end(index, status, reset: true)
    }

    /// Refuses a hello that the owner does not admit.
    public mutating func refuse(_ peer: UInt64, _ status: Status) {
        counters.refusals += 1
        actions.append(.control(peer: peer, session: 0, .reset(Reset(status: status))))
    }

    private mutating func greet(_ hello: Hello, from peer: UInt64, now: LinkTime) {
        if let old = indexByPeer[peer] {
            // A hello that was overtaken by a later one of the same boot.
            if peers[old].info.epoch == hello.epoch, hello.attempt <= peers[old].attempt {
                counters.staleFrames += 1
                return
            }
            end(old, .superseded, reset: false)
        }
        guard acceptedRoles.contains(hello.role) else { return refuse(peer, .protocolViolation) }
        guard
            let version = ProtocolVersion.negotiate(
                minimum: hello.minimumVersion, maximum: min(hello.maximumVersion, settings.highestVersion))
        else { return refuse(peer, .versionMismatch) }
        guard !isDraining else { return refuse(peer, .draining) }
        guard indexByPeer.count < settings.maximumPeers, let model = intern(hello.model) else {
            return refuse(peer, .busy)
        }
        begin(hello, version: version, model: model, from: peer, now: now)
    }

    private mutating func begin(_ hello: Hello, version: UInt8, model: Int, from peer: UInt64, now: LinkTime) {
        let number = LinkSession.number(above: epoch, below: hello.epoch, attempt: hello.attempt)
        let index = freePeers.popLast() ?? peers.count
        let info = PeerInfo(
            session: SessionRef(peer: peer, session: number, index: index), role: hello.role, version: version,
            epoch: hello.epoch, slots: hello.slots, contextLength: hello.contextLength, model: hello.model,
            name: hello.name, longestToken: hello.longestToken, key: hello.key)
        let state = PeerState(info: info, modelIndex: model, attempt: hello.attempt, now: now)
        if index == peers.count { peers.append(state) } else { peers[index] = state }
        indexByPeer[peer] = index
        counters.sessions += 1
        demandChanged = true
        var welcome = Welcome(
            role: role, version: version, epoch: epoch, session: number, window: settings.trayWindow,
            heartbeatMilliseconds: Self.milliseconds(settings.heartbeatInterval),
            timeoutMilliseconds: Self.milliseconds(settings.silenceLimit), model: self.model, name: name)
        welcome.outputWindow = outputWindow
        queue(.welcome(welcome), to: index)
        actions.append(.peerUp(info))
    }

    private static func milliseconds(_ time: LinkTime) -> UInt32 { UInt32(clamping: max(1, time / 1_000_000)) }

    private mutating func handle(_ frame: ControlFrame, at index: Int, header: FrameHeader, now: LinkTime) {
        switch frame {
        case .heartbeatReply(let reply): handle(reply, at: index, header: header, now: now)
        case .credit(let count): raiseLimit(to: count.value, at: index)
        case .recall(let count): lowerLimit(to: count.value, at: index)
        case .goodbye:
            peers[index].saidGoodbye = true
            peers[index].limit = peers[index].sent
            demandChanged = true
            queue(.goodbyeAck, to: index)
            acknowledgeTrays(index)
        case .trayAck(let count) where !usesLeases && peers[index].info.version >= 2:
            actions.append(.traysRead(peers[index].info.session, through: count.value))
        case .probeReply(let count):
            actions.append(.probeReply(peer: peers[index].info.session.peer, number: count.value))
        default: violate(index)
        }
    }

    private mutating func handle(_ reply: HeartbeatReply, at index: Int, header: FrameHeader, now: LinkTime) {
        peers[index].held = reply.held
        peers[index].free = reply.free
        peers[index].stepAge = reply.stepAge
        if reply.contextLength > 0 { peers[index].info.contextLength = reply.contextLength }
        peers[index].clock.add(
            sent: reply.originAt, receivedByPeer: reply.receivedAt, answeredByPeer: header.sentAt, received: now)
        if let read = peers[index].heartbeats.firstIndex(where: { $0.sentAt == reply.originAt }) {
            actions.append(.framesRead(peers[index].info.session, through: peers[index].heartbeats[read].sequence))
            peers[index].heartbeats.removeSubrange(...read)
        }
        if let limit = settings.stepAgeLimit, reply.held > 0, reply.stepAge > limit {
            counters.hungEngines += 1
            end(index, .timedOut, reset: true)
        }
    }

    private mutating func raiseLimit(to limit: UInt64, at index: Int) {
        guard usesLeases, limit >= peers[index].limit, limit - peers[index].sent <= UInt64(LeaseTable.slotLimit) else {
            return violate(index)
        }
        // After its goodbye, a grant that was on the way is void.
        if peers[index].saidGoodbye { return }
        peers[index].limit = limit
        serve(index)
    }

    private mutating func lowerLimit(to limit: UInt64, at index: Int) {
        guard usesLeases else { return violate(index) }
        counters.recalls += 1
        peers[index].limit = min(peers[index].limit, max(limit, peers[index].sent))
        queue(.recallAck(Count(peers[index].limit)), to: index)
        demandChanged = true
    }
}
