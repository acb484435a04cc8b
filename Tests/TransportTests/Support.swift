import Synchronization
import Testing

@testable import Transport

/// Long enough for a loaded machine; a test that fails takes it, one that passes does not.
let patience = 60_000

struct TimedOut: Error {}

extension PeerID {
    /// A routing id that starts with `role`.
    static func fresh(_ role: UInt8 = 7) -> PeerID {
        var generator = SystemRandomNumberGenerator()
        return .random(role: role, using: &generator)
    }
}

extension Span<UInt8> {
    var array: [UInt8] { indices.map { self[$0] } }
}

extension DealerSocket {
    /// Waits for the event that `isWanted` picks.
    ///
    /// - Parameter router: the other end, if it is on this thread: it takes part when it is looked at only.
    @discardableResult
    mutating func await(
        with router: (any LinkSocket)? = nil, _ isWanted: (MonitorEvent.Kind) -> Bool
    ) throws -> MonitorEvent {
        let end = MonotonicClock.now() + UInt64(patience) * 1_000_000
        while MonotonicClock.now() < end {
            if let event = try nextEvent() {
                if isWanted(event.kind) { return event }
            } else {
                router?.takePart()
                _ = try wait(milliseconds: router == nil ? 50 : 1)
            }
        }
        throw TimedOut()
    }

    /// - Parameter router: the other end, if it is on this thread and may have more to send than the kernel takes.
    mutating func awaitFrame(with router: (any LinkSocket)? = nil) throws -> [UInt8] {
        let end = MonotonicClock.now() + UInt64(patience) * 1_000_000
        while MonotonicClock.now() < end {
            if let message = try receive() { return message.bytes.array }
            router?.takePart()
            // An unread event would make `wait` return at once for ever.
            _ = try nextEvent()
            _ = try wait(milliseconds: router == nil ? 50 : 1)
        }
        throw TimedOut()
    }

    mutating func sendAll(_ bytes: [UInt8]) -> SendOutcome { send(bytes.span) }
}

extension RouterSocket {
    mutating func awaitFrame(with dealer: (any LinkSocket)? = nil) throws -> (peer: PeerID, bytes: [UInt8]) {
        let end = MonotonicClock.now() + UInt64(patience) * 1_000_000
        while MonotonicClock.now() < end {
            if let frame = try receive() { return (frame.peer, frame.message.bytes.array) }
            dealer?.takePart()
            _ = try wait(milliseconds: dealer == nil ? 50 : 1)
        }
        throw TimedOut()
    }
}

extension SocketOptions.Implementation {
    /// Options that ask for this one.
    var options: SocketOptions {
        var options = SocketOptions()
        options.implementation = self
        return options
    }
}

extension LinkSocket {
    /// Does what a reactor would have it do, so that two ends on one thread can talk.
    func takePart() { try? (self as? StreamSocket)?.gather() }
}

/// A temporary Unix socket's endpoint.
func temporaryIPC() -> Endpoint {
    .ipc(path: "/tmp/tf-\(PeerID.fresh()).sock")
}

/// Values that callbacks put in and a test waits for.
final class Collector<Value: Sendable>: Sendable {
    private struct State {
        var values: [Value] = []
        var waiters: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    var values: [Value] { state.withLock { $0.values } }

    func append(_ value: Value) {
        let ready = state.withLock { state in
            state.values.append(value)
            let ready = state.waiters.filter { $0.count <= state.values.count }.map(\.continuation)
            state.waiters.removeAll { $0.count <= state.values.count }
            return ready
        }
        for continuation in ready { continuation.resume() }
    }

    /// The values, when there are at least `count`, or when the test's time limit is over.
    func wait(for count: Int) async -> [Value] {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    let isReady = state.values.count >= count || Task.isCancelled
                    if !isReady { state.waiters.append((count, continuation)) }
                    return isReady
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            let waiters = state.withLock { state in
                defer { state.waiters = [] }
                return state.waiters
            }
            for waiter in waiters { waiter.continuation.resume() }
        }
        return values
    }
}

/// Lets a test hold a reactor's thread.
final class Gate: Sendable {
    private let isOpen = Atomic<Bool>(false)

    func open() { isOpen.store(true, ordering: .releasing) }

    func pass() { while !isOpen.load(ordering: .acquiring) {} }
}

extension RouterSocket {
    /// Takes all that it may.
    func receiveAll(upTo limit: Int, _ body: (ReceivedFrame) -> Void) throws(TransportError) {
        try receive(upTo: limit) { frame -> Bool in
            body(frame)
            return true
        }
    }
}

extension DealerSocket {
    /// Takes all that it may.
    func receiveAll(upTo limit: Int, _ body: (ReceivedFrame) -> Void) throws(TransportError) {
        try receive(upTo: limit) { frame -> Bool in
            body(frame)
            return true
        }
    }
}
