import CZeroMQ
import Synchronization

/// libzmq's I/O threads and the name space of `inproc`: one per process.
///
/// Every socket holds its context, so the last one to let go terminates it, after all sockets are closed.
@safe public final class Context: Sendable {
    // libzmq documents contexts, alone among its objects, as thread-safe.
    nonisolated(unsafe) let raw: UnsafeMutableRawPointer
    private let names = Atomic<UInt64>(0)

    /// - Parameters:
    ///   - ioThreads: libzmq advises one for each gigabyte per second.
    ///   - maximumSockets: A monitored socket counts as three.
    public init(ioThreads: Int32 = 1, maximumSockets: Int32 = 8192) throws(TransportError) {
        guard let raw = unsafe zmq_ctx_new() else { throw .last("create", "context") }
        unsafe self.raw = unsafe raw
        for (option, value) in [(ZMQ_IO_THREADS, ioThreads), (ZMQ_MAX_SOCKETS, maximumSockets)] {
            guard unsafe zmq_ctx_set(raw, Int32(option), value) == 0 else { throw .last("set option of", "context") }
        }
    }

    deinit {
        while unsafe zmq_ctx_term(raw) != 0, zmq_errno() == EINTR {}
    }

    /// An `inproc` address that nobody else in this context has.
    func uniqueInprocAddress(_ purpose: String) -> String {
        "inproc://tokenfactory.\(purpose).\(names.wrappingAdd(1, ordering: .relaxed).newValue)"
    }
}

extension TransportError {
    /// The calling thread's last libzmq error.
    static func last(_ operation: String, _ subject: String) -> TransportError {
        let code = zmq_errno()
        return code == TransportCode.terminated
            ? .terminated : .system(operation: operation, subject: subject, code: code)
    }
}

/// libzmq's own errno values, which begin at `ZMQ_HAUSNUMERO`.
enum TransportCode {
    static let terminated = Int32(ZMQ_HAUSNUMERO) + 53
}
