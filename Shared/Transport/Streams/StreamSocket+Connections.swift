import CLinux
import Glibc
import ZMTP

/// The life of a connection: accepted or dialled, its handshake, its end.
extension StreamSocket {
    /// Connections that one gathering accepts at most, for each listener: less than handshakes may be under way, so that
    /// no newcomer has to go before it was heard.
    private static let acceptsPerTurn = 64

    /// Takes a descriptor over; nil if it cannot be watched.
    func add(_ descriptor: Int32, at endpoint: Endpoint, phase: StreamConnection.Phase) -> StreamConnection? {
        let slot = freeSlots.popLast() ?? connections.count
        if slot == connections.count { connections.append(nil) }
        let now = MonotonicClock.now()
        let connection = StreamConnection(
            slot: slot, descriptor: descriptor, endpoint: endpoint, phase: phase,
            deadline: now + UInt64(max(0, handshakeMilliseconds)) * 1_000_000)
        guard watch(connection) else {
            connection.close()
            freeSlots.append(slot)
            return nil
        }
        connections[slot] = connection
        arm(connection.deadline)
        if nextBeat == .max, options.heartbeatInterval > 0 {
            nextBeat = now + UInt64(options.heartbeatInterval) * 1_000_000
            arm(nextBeat)
        }
        return connection
    }

    private var handshakeMilliseconds: Int32 {
        isRouter ? options.limits.handshakeMilliseconds : options.handshakeTimeout
    }

    /// Has the poller, if there is one yet, say when there is something; false if it cannot.
    func watch(_ connection: StreamConnection) -> Bool {
        guard let poller else { return true }
        connection.place = try? poller.add(self, at: connection.slot, connection.descriptor, connection.interest)
        return connection.place != nil
    }

    /// What the connection waits for has changed.
    func watchAgain(_ connection: StreamConnection) {
        if let place = connection.place { poller?.change(place, connection.interest) }
    }

    /// Accepts from now on, or tries again later.
    func watchListener(at index: Int) {
        guard let poller else { return }
        let listener = listeners[index]
        listener.place = try? poller.add(self, at: Self.listenerTag - index, listener.descriptor, .reading)
        listener.resumeAt = 0
        if listener.place == nil { pause(listener) }
    }

    /// Out of descriptors or memory: what waits to be accepted stays, and is asked again later.
    private func pause(_ listener: StreamListener) {
        refusals.unaccepted += 1
        unwatch(&listener.place)
        listener.resumeAt = MonotonicClock.now() + StreamListener.pause
        arm(listener.resumeAt)
    }

    func accept(at index: Int) {
        let listener = listeners[index]
        for _ in 0..<Self.acceptsPerTurn {
            var (from, length) = (sockaddr_storage(), socklen_t(MemoryLayout<sockaddr_storage>.size))
            let descriptor = unsafe withUnsafeMutablePointer(to: &from) { from in
                unsafe from.withMemoryRebound(to: sockaddr.self, capacity: 1) { from in
                    unsafe accept4(listener.descriptor, from, &length, tf_accept_flags)
                }
            }
            guard descriptor >= 0 else {
                switch errno {
                case EAGAIN: return
                case EINTR, ECONNABORTED, EPROTO: continue
                case let code:
                    report(.acceptFailed(code), listener.endpoint)
                    return pause(listener)
                }
            }
            let address = PeerAddress(from)
            guard makeRoom(for: address) else {
                Glibc.close(descriptor)
                refusals.crowded += 1
                report(.acceptFailed(EUSERS), listener.endpoint)
                continue
            }
            StreamAddress.prepare(descriptor, family: listener.family)
            guard let connection = add(descriptor, at: listener.endpoint, phase: .greeting(Handshake(.router))) else {
                refusals.unaccepted += 1
                report(.acceptFailed(errno), listener.endpoint)
                continue
            }
            count(connection, from: address)
            report(.accepted, listener.endpoint)
            connection.unsent.append(framed: Handshake.greeting)
            write(connection)
        }
    }

    /// The transport is connected: the dealer greets.
    func begin(_ connection: StreamConnection) {
        guard case .dealer(let id) = kind else { return }
        connection.phase = .greeting(Handshake(.dealer(identity: id.bytes)))
        watchAgain(connection)
        report(.connected, connection.endpoint)
        connection.unsent.append(framed: Handshake.greeting)
        write(connection)
    }

    /// Takes what has come of a handshake, and answers it.
    func goOn(with handshake: Handshake, of connection: StreamConnection) {
        var handshake = handshake
        let step: Handshake.Step
        do throws(ZMTPError) {
            step = try handshake.receive(connection.received.unread)
        } catch {
            if !error.farewell.isEmpty {
                connection.unsent.append(framed: error.farewell)
                write(connection)
                // Closing alone may reset the connection before the other side has read why.
                shutdown(connection.descriptor, Int32(SHUT_WR))
            }
            refusals.malformed += 1
            return lose(connection, HandshakeFailure(error), isRefusal: error.isRefusal)
        }
        connection.received.skip(step.consumed)
        connection.phase = .greeting(handshake)
        if !step.reply.isEmpty {
            connection.unsent.append(framed: step.reply)
            write(connection)
        }
        guard let peer = step.peer, !connection.isClosed else { return }
        connection.phase = .open
        countHandshake(connection)
        connection.liveness.answers = peer.hasHeartbeats
        if isRouter, let id = PeerID(routingFrame: peer.identity.span) {
            // The newcomer takes the id over, as with ZMQ_ROUTER_HANDOVER.
            if let old = peers[id.raw] { lose(old) }
            connection.peer = id
            peers[id.raw] = connection
        }
        dial?.plan.succeeded()
        report(.handshakeSucceeded, connection.endpoint)
        queue(connection)
    }

    /// Ends a connection that its other side, or a limit, does not let stand.
    func end(
        _ connection: StreamConnection, countedAs reason: WritableKeyPath<ConnectionRefusals, UInt64>,
        _ failure: HandshakeFailure = .noDetail(EPROTO)
    ) {
        guard !connection.isClosed else { return }
        refusals[keyPath: reason] += 1
        lose(connection, failure)
    }

    /// Gives a connection up, and lets a dealer try again later.
    func lose(
        _ connection: StreamConnection, _ failure: HandshakeFailure = .noDetail(EPROTO), isRefusal: Bool = false
    ) {
        guard !connection.isClosed else { return }
        switch connection.phase {
        case .connecting: break
        case .greeting: report(.handshakeFailed(failure), connection.endpoint)
        case .open: report(.disconnected, connection.endpoint)
        }
        discard(connection)
        if dial?.connection === connection { postpone(isRefusal ? .refused : .lost) }
    }

    func discard(_ connection: StreamConnection) {
        uncount(connection)
        unwatch(&connection.place)
        connection.close()
        connections[connection.slot] = nil
        freeSlots.append(connection.slot)
        if let peer = connection.peer, peers[peer.raw] === connection { peers[peer.raw] = nil }
    }
}
