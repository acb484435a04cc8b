import Glibc

/// What a listening socket's connections may cost: each is counted from the moment that it is accepted.
extension StreamSocket {
    /// Ends what has to go before another connection from this address comes; false if it has no place.
    func makeRoom(for address: PeerAddress?) -> Bool {
        while true {
            let victim: StreamConnection?
            switch census.verdict(on: address) {
            case .welcome: return true
            case .endHandshake: victim = first { $0.isShaking }
            case .endStranger: victim = first { $0.standing?.isStranger == true }
            case .endStrangerOfAddress:
                victim = first { $0.standing?.isStranger == true && $0.standing?.address == address }
            }
            guard let victim else { return false }
            end(victim, countedAs: \.crowded, .noDetail(EUSERS))
        }
    }

    /// The connection that came first among those that are meant.
    private func first(_ isMeant: (StreamConnection) -> Bool) -> StreamConnection? {
        var found: StreamConnection?
        for case let connection? in connections where isMeant(connection) {
            if let number = connection.standing?.number, number < found?.standing?.number ?? .max {
                found = connection
            }
        }
        return found
    }

    func count(_ connection: StreamConnection, from address: PeerAddress?) {
        accepted += 1
        connection.standing = StreamConnection.Standing(number: accepted, address: address)
        connection.received.isModest = true
        census.came(from: address)
    }

    func uncount(_ connection: StreamConnection) {
        guard let standing = connection.standing else { return }
        census.left(standing.address, isShaking: connection.isShaking, isStranger: standing.isStranger)
        census.begunBytes -= standing.begunBytes
        census.unsentBytes -= standing.unsentBytes
        connection.standing = nil
    }

    /// Its handshake is done.
    func countHandshake(_ connection: StreamConnection) {
        guard connection.standing != nil else { return }
        census.shookHands()
        if !census.limits.hasStrangers { makeKnown(connection) }
    }

    /// Its own events and timer do that.
    func tend(_ now: UInt64) {}

    func admit(_ peer: PeerID, source: Int32?) {
        if let connection = peers[peer.raw] { makeKnown(connection) }
    }

    private func makeKnown(_ connection: StreamConnection) {
        guard connection.standing?.isStranger == true else { return }
        connection.standing?.isStranger = false
        connection.received.isModest = false
        census.madeKnown()
    }

    /// All whole frames of a connection are taken: what is left is a frame that has begun.
    func countBegun(_ connection: StreamConnection) {
        guard let standing = connection.standing, !connection.isClosed else { return }
        let begun = connection.isQueued ? 0 : connection.received.count
        if begun != standing.begunBytes {
            census.begunBytes += begun - standing.begunBytes
            connection.standing?.begunBytes = begun
            if begun > standing.begunBytes, census.begunBytes > census.limits.begunBytes {
                return end(connection, countedAs: \.unfinished)
            }
        }
        guard begun > 0, connection.begunAt == 0 else { return }
        connection.begunAt = MonotonicClock.now()
        arm(unfinishedDeadline(of: connection))
    }

    private func unfinishedDeadline(of connection: StreamConnection) -> UInt64 {
        connection.begunAt + UInt64(max(0, census.limits.begunMilliseconds)) * 1_000_000
    }

    func endIfUnfinished(_ connection: StreamConnection, _ now: UInt64) {
        guard connection.begunAt > 0 else { return }
        // What waits to be taken came in time.
        guard !connection.isQueued, unfinishedDeadline(of: connection) <= now else {
            return arm(max(unfinishedDeadline(of: connection), now + 1_000_000))
        }
        end(connection, countedAs: \.unfinished)
    }

    /// What waits for a peer has changed.
    func countUnsent(_ connection: StreamConnection) {
        guard let standing = connection.standing, !connection.isClosed else { return }
        let unsent = connection.unsent.count
        guard unsent != standing.unsentBytes else { return }
        census.unsentBytes += unsent - standing.unsentBytes
        connection.standing?.unsentBytes = unsent
        guard unsent > standing.unsentBytes else { return }
        let limits = census.limits
        let own =
            standing.isStranger && limits.hasStrangers ? limits.strangerUnsentBytes : limits.unsentBytesPerConnection
        if unsent > own || census.unsentBytes > limits.unsentBytes { end(connection, countedAs: \.unread) }
    }
}
