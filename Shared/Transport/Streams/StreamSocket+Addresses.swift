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
    /// Milliseconds before the attempt after the next failure; 0 after a success.
    var delay = 0
    /// When to try again.
    var at: UInt64 = 0
}

extension StreamSocket {
    private static let backlog: Int32 = 1024

    func bind(_ endpoint: Endpoint) throws(TransportError) -> Endpoint {
        let address = try StreamAddress(endpoint, passive: true)
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
        try poller.add(descriptor, token: Self.listenerTokens + UInt64(listeners.count), .reading)
        listeners.append(listener)
        return listener.endpoint
    }

    func connect(_ endpoint: Endpoint) throws(TransportError) {
        guard dial == nil else { throw .system(operation: "connect", subject: endpoint.description, code: EISCONN) }
        dial = StreamDial(endpoint: endpoint)
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

    /// Dials once; what comes of it, events say.
    private func attempt() {
        guard let endpoint = dial?.endpoint else { return }
        var connection: StreamConnection?
        do throws(TransportError) {
            let address = try StreamAddress(endpoint, passive: false)
            let descriptor = address.open()
            if descriptor >= 0 {
                let isConnected = address.connect(descriptor)
                if isConnected || errno == EINPROGRESS {
                    connection = add(descriptor, at: endpoint, phase: .connecting, watching: .writing)
                    dial?.connection = connection
                    if isConnected, let connection { begin(connection) }
                } else {
                    Glibc.close(descriptor)
                }
            }
        } catch {
            // A name that has no address yet may have one at the next attempt.
        }
        guard connection == nil else { return }
        postpone()
    }

    /// Tries again later, twice as late each time.
    func postpone() {
        let first = Int(max(1, options.reconnectInterval))
        let delay = max(dial?.delay ?? 0, first)
        let at = MonotonicClock.now() + UInt64(delay) * 1_000_000
        dial?.connection = nil
        dial?.delay = min(delay * 2, max(first, Int(options.reconnectMaximum)))
        dial?.at = at
        arm(at)
    }

    /// Does what is due: attempts, heartbeats, handshakes that took too long, listeners that paused.
    func timePassed(_ now: UInt64) {
        if let dial, dial.connection == nil {
            if dial.at <= now { attempt() } else { arm(dial.at) }
        }
        for (index, listener) in listeners.enumerated() where listener.resumeAt > 0 {
            if listener.resumeAt > now {
                arm(listener.resumeAt)
            } else if (try? poller.add(listener.descriptor, token: Self.listenerTokens + UInt64(index), .reading))
                != nil
            {
                listener.resumeAt = 0
            } else {
                listener.resumeAt = now + StreamListener.pause
                arm(listener.resumeAt)
            }
        }
        let isBeat = now >= nextBeat
        var isAnyThere = false
        for case let connection? in connections {
            if !connection.isOpen {
                if connection.deadline <= now {
                    lose(connection, .noDetail(ETIMEDOUT))
                } else {
                    arm(connection.deadline)
                }
            } else if isBeat {
                beat(connection)
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
