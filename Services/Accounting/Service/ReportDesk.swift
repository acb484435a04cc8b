import Dispatch
import Hummingbird
import Synchronization

/// Runs reports on threads of their own, a bounded number at once; who comes beyond that is told to come again. So
/// what reads much of the disk holds up neither the door's threads nor its other questions.
final class ReportDesk: Sendable {
    /// Reports at once.
    static let limit = 4

    private let running = Mutex(0)
    private let queue = DispatchQueue(label: "reports", qos: .utility, attributes: .concurrent)

    /// Throws what `body` throws, and 503 when there are too many already.
    func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        let isFree = running.withLock { running in
            guard running < Self.limit else { return false }
            running += 1
            return true
        }
        guard isFree else {
            throw HTTPError(
                .serviceUnavailable, headers: [.retryAfter: "1"], message: "too many reports at once; retry later")
        }
        defer { running.withLock { $0 -= 1 } }
        return try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try body() }) }
        }
    }
}
