import CLinux
import Glibc
import Synchronization

/// Bounds the connections of a listening socket of libzmq's, which bounds none: counts them by the events of its monitor,
/// and ends strangers by shutting their connection down, as if they had hung up.
///
/// libzmq's I/O thread owns the connections. What is shut down here is a descriptor of our own for the same connection,
/// made when its event comes and kept only while its peer is a stranger. The event may be late, and its number another
/// connection's by then; so one that was not accepted at the same address is let alone, and for one that was, its own
/// events follow.
///
/// May be used on any thread. Invariant: `duplicate` of each entry is open, and nobody else's.
public final class ConnectionGate: Sendable {
    private struct Entry {
        var standing: StreamConnection.Standing
        var duplicate: Int32?
        var isShutDown = false
        var since: UInt64
    }

    private struct State {
        var census = ConnectionCensus(ConnectionLimits())
        var entries: [Int32: Entry] = [:]
        var port: UInt16?
        var accepted: UInt64 = 0
        var refused: UInt64 = 0
        var unfinished: UInt64 = 0
    }

    private let state = Mutex(State())

    public init() {}

    deinit {
        state.withLock { state in
            for case let duplicate? in state.entries.values.map(\.duplicate) { Glibc.close(duplicate) }
        }
    }

    /// Begins to count the connections of a socket that is bound to this port.
    func open(port: UInt16?, limits: ConnectionLimits) {
        state.withLock { state in
            state.census = ConnectionCensus(limits)
            state.port = port
        }
    }

    /// The socket is closed, and no events come any more.
    func close() {
        state.withLock { state in
            for key in Array(state.entries.keys) { Self.forget(key, &state) }
        }
    }

    /// Connections that were ended, or turned away by the authenticator, since there were too many.
    var refused: UInt64 { state.withLock { $0.refused } }

    /// Strangers that were ended since they sent too much, or stayed too long.
    var unfinished: UInt64 { state.withLock { $0.unfinished } }

    /// Connections that stand, as far as their events have come.
    public var count: Int { state.withLock { $0.census.connections } }

    /// Of these, those of strangers.
    public var strangers: Int { state.withLock { $0.census.strangers } }

    /// libzmq has accepted a connection.
    func accepted(_ descriptor: Int32) {
        state.withLock { state in
            // A loss that was not told.
            Self.forget(descriptor, &state)
            let duplicate = Self.duplicate(descriptor, acceptedAt: state.port)
            let address = duplicate.flatMap { PeerAddress(ofPeer: $0) }
            let hasRoom = Self.makeRoom(for: address, &state)
            state.accepted += 1
            var entry = Entry(
                standing: StreamConnection.Standing(number: state.accepted, address: address), duplicate: duplicate,
                since: MonotonicClock.now())
            state.census.came(from: address)
            // libzmq bounds handshakes by time alone: those under way are strangers here.
            state.census.shookHands()
            if !hasRoom {
                Self.shutDown(&entry, &state)
            } else if !state.census.limits.hasStrangers {
                Self.makeKnown(&entry, &state)
            }
            state.entries[descriptor] = entry
        }
    }

    /// Ends the strangers that have sent too much, or were strangers for too long: to be called every few milliseconds.
    func tend(_ now: UInt64) {
        state.withLock { state in
            guard state.census.strangers > 0 else { return }
            let limits = state.census.limits
            let patience = UInt64(max(0, limits.strangerMilliseconds)) * 1_000_000
            for (key, entry) in state.entries {
                guard entry.standing.isStranger, let duplicate = entry.duplicate,
                    now >= entry.since + patience || tf_bytes_received(duplicate) > Int64(limits.strangerBytes)
                else { continue }
                var entry = entry
                Self.shutDown(&entry, &state, countedAs: \.unfinished)
                state.entries[key] = entry
            }
        }
    }

    /// A connection has ended.
    func ended(_ descriptor: Int32) { state.withLock { Self.forget(descriptor, &$0) } }

    /// The socket's owner knows who the peer is.
    func makeKnown(_ descriptor: Int32) {
        state.withLock { state in
            guard var entry = state.entries[descriptor] else { return }
            Self.makeKnown(&entry, &state)
            state.entries[descriptor] = entry
        }
    }

    /// Whether a peer from this address may come in: its own connection is counted already, as a rule.
    func admits(_ address: PeerAddress?) -> Bool {
        state.withLock { state in
            let isAdmitted = state.census.holds(address)
            if !isAdmitted { state.refused += 1 }
            return isAdmitted
        }
    }

    private static func makeRoom(for address: PeerAddress?, _ state: inout State) -> Bool {
        while true {
            let verdict = state.census.verdict(on: address)
            guard verdict != .welcome else { return true }
            let victim = state.entries.filter {
                $0.value.standing.isStranger && $0.value.duplicate != nil
                    && (verdict != .endStrangerOfAddress || $0.value.standing.address == address)
            }.min { $0.value.standing.number < $1.value.standing.number }
            guard let key = victim?.key, var entry = victim?.value else { return false }
            shutDown(&entry, &state)
            state.entries[key] = entry
        }
    }

    /// It counts no more, though its event is still to come. One that cannot be ended from here stays, and the
    /// authenticator turns it away.
    private static func shutDown(
        _ entry: inout Entry, _ state: inout State, countedAs reason: WritableKeyPath<State, UInt64> = \.refused
    ) {
        guard let duplicate = entry.duplicate else { return }
        state[keyPath: reason] += 1
        entry.isShutDown = true
        shutdown(duplicate, Int32(SHUT_RDWR))
        Glibc.close(duplicate)
        entry.duplicate = nil
        state.census.left(entry.standing.address, isShaking: false, isStranger: entry.standing.isStranger)
    }

    private static func makeKnown(_ entry: inout Entry, _ state: inout State) {
        guard entry.standing.isStranger, !entry.isShutDown else { return }
        entry.standing.isStranger = false
        state.census.madeKnown()
        if let duplicate = entry.duplicate { Glibc.close(duplicate) }
        entry.duplicate = nil
    }

    private static func forget(_ descriptor: Int32, _ state: inout State) {
        guard let entry = state.entries.removeValue(forKey: descriptor) else { return }
        if let duplicate = entry.duplicate { Glibc.close(duplicate) }
        guard !entry.isShutDown else { return }
        state.census.left(entry.standing.address, isShaking: false, isStranger: entry.standing.isStranger)
    }

    private static func duplicate(_ descriptor: Int32, acceptedAt port: UInt16?) -> Int32? {
        guard let port else { return nil }
        let duplicate = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard duplicate >= 0 else { return nil }
        if let local = try? StreamAddress.bound(duplicate, as: .tcp(host: "*", port: 0)), local.port == port {
            return duplicate
        }
        Glibc.close(duplicate)
        return nil
    }
}
