import Dispatch
import Hummingbird
import Synchronization

/// Runs reports on threads of their own, a bounded number at once; who comes beyond that is told to come again. So
/// what reads much of the disk holds up neither the door's threads nor its other questions.
final class ReportDesk: Sendable {
    /// Reports at once.
    static let limit = 4

    // Serial queues, since each has a thread when it needs one: a concurrent queue shares as many as there are cores.
    private let queues = (0..<limit).map { DispatchQueue(label: "report-\($0)", qos: .utility) }
    private let free = Mutex(Array(0..<limit))

    /// Throws what `body` throws, and 503 when there are too many already.
    func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        guard let place = free.withLock({ $0.popLast() }) else {
            throw HTTPError(
                .serviceUnavailable, headers: [.retryAfter: "1"], message: "too many reports at once; retry later")
        }
        defer { free.withLock { $0.append(place) } }
        return try await withCheckedThrowingContinuation { continuation in
            queues[place].async { continuation.resume(with: Result { try body() }) }
        }
    }
}
