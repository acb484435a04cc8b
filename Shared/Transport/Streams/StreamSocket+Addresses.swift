import Glibc
import ZMTP

/// A bound socket that takes connections.
///
/// Invariant: `descriptor` is open until ``close()``.
final class StreamListener {
    /// Nanoseconds without accepting after it failed.
    static let pause: UInt64 = 100_000_000

    private(set) var descriptor: Int32
    let endpoint: Endpoint
    let family: Int32
    /// Where a poller watches it; nil while none does.
    var place: Poller.Place?
    /// When to accept again after a failure; 0 while it accepts.
    var resumeAt: UInt64 = 0

    init(descriptor: Int32, endpoint: Endpoint, family: Int32) {
        self.descriptor = descriptor
        self.endpoint = endpoint
        self.family = family
    }

    deinit { close() }

    func close() {
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        descriptor = -1
        if case .ipc(let path) = endpoint, !path.hasPrefix("@") { _ = unsafe unlink(path) }
    }
}

/// What a dealer dials, and how its attempts stand.
struct StreamDial {
    let endpoint: Endpoint
    var connection: StreamConnection?
    var plan: DialPlan<StreamAddress>
}

extension StreamSocket {
    private static let backlog: Int32 = 1024

    func bind(_ endpoint: Endpoint) throws(TransportError) -> Endpoint {
        let address = try StreamAddress(binding: endpoint)
        func refuse() -> TransportError { .system(operation: "bind", subject: endpoint.description, code: errno) }
        let descriptor = address.open()
        guard descriptor >= 0 else { throw refuse() }
        // What a process that was killed left behind, as libzmq does.
        if case .ipc(let path) = endpoint, !path.hasPrefix("@") { _ = unsafe unlink(path) }
        guard address.bind(descriptor), listen(descriptor, Self.backlog) == 0 else {
            let error = refuse()
            Glibc.close(descriptor)
            throw error
        }
        let listener: StreamListener
        do throws(TransportError) {
            listener = StreamListener(
                descriptor: descriptor, endpoint: try StreamAddress.bound(descriptor, as: endpoint),
                family: address.family)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        listeners.append(listener)
        watchListener(at: listeners.count - 1)
        return listener.endpoint
    }

    func connect(_ endpoint: Endpoint) throws(TransportError) {
        guard dial == nil else { throw .system(operation: "connect", subject: endpoint.description, code: EISCONN) }
        let first = UInt64(max(1, options.reconnectInterval)) * 1_000_000
        let backoff = Backoff(first: first, maximum: UInt64(max(1, options.reconnectMaximum)) * 1_000_000)
        dial = StreamDial(endpoint: endpoint, plan: DialPlan(backoff))
        attempt()
    }

    func disconnect(_ endpoint: Endpoint) throws(TransportError) {
        guard let dial, dial.endpoint == endpoint else {
            throw .system(operation: "disconnect", subject: endpoint.description, code: ENOENT)
        }
        flush()
        if let connection = dial.connection, !connection.isClosed { discard(connection) }
        self.dial = nil
        forgetHandshake()
    }

    /// Dials the address whose turn it is, if it is time; what comes of it, events say.
    private func attempt() {
        let now = MonotonicClock.now()
        while let endpoint = dial?.endpoint, dial?.connection == nil, let step = dial?.plan.next(now) {
            switch step {
            case .wait(let until):
                return arm(until)
            case .lookUp:
                // A name that has no address yet may have one at the next attempt.
                let addresses = (try? StreamAddress.all(of: endpoint)) ?? []
                dial?.plan.found(addresses, now: now, chance: random.next())
            case .dial(let address):
                if !dials(address, endpoint) { dial?.plan.failed(.lost, now: now, chance: random.next()) }
            }
        }
    }

    /// False if the attempt ended at once.
    private func dials(_ address: StreamAddress, _ endpoint: Endpoint) -> Bool {
        let descriptor = address.open()
        guard descriptor >= 0 else { return false }
        let isConnected = address.connect(descriptor)
        guard isConnected || errno == EINPROGRESS else {
            Glibc.close(descriptor)
            return false
        }
        guard let connection = add(descriptor, at: endpoint, phase: .connecting) else {
            return false
        }
        dial?.connection = connection
        if isConnected { begin(connection) }
        return true
    }

    /// Tries again later.
    func postpone(_ failure: DialPlan<StreamAddress>.Failure) {
        dial?.connection = nil
        let now = MonotonicClock.now()
        dial?.plan.failed(failure, now: now, chance: random.next())
        if let at = dial?.plan.at { arm(at) }
    }

    /// Does what is due: attempts, heartbeats, handshakes that took too long, listeners that paused.
    func timePassed(_ now: UInt64) {
        dueAt = .max
        attempt()
        for (index, listener) in listeners.enumerated() where listener.resumeAt > 0 {
            if listener.resumeAt > now { arm(listener.resumeAt) } else { watchListener(at: index) }
        }
        let isBeat = now >= nextBeat
        var isAnyThere = false
        for case let connection? in connections {
            if !connection.isOpen {
                if connection.deadline <= now {
                    if isRouter { refusals.slowHandshakes += 1 }
                    lose(connection, .noDetail(ETIMEDOUT))
                } else {
                    arm(connection.deadline)
                }
            } else {
                endIfUnfinished(connection, now)
                if isBeat, !connection.isClosed { beat(connection) }
            }
            isAnyThere = isAnyThere || !connection.isClosed
        }
        if isBeat { nextBeat = isAnyThere ? now + UInt64(options.heartbeatInterval) * 1_000_000 : .max }
        if nextBeat != .max { arm(nextBeat) }
    }

    private func beat(_ connection: StreamConnection) {
        let verdict = connection.liveness.beat(
            interval: Int(options.heartbeatInterval), timeout: Int(options.heartbeatTimeout))
        switch verdict {
        case .alive: break
        case .ask:
            let timeToLive = UInt16(clamping: options.heartbeatTimeToLive / 100)
            say(.ping(timeToLive: timeToLive, context: []), to: connection)
        case .dead: lose(connection)
        }
    }
}
