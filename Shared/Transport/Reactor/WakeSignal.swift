import CLinux
import Glibc

/// An eventfd: wakes a thread that polls it, from any thread. Nobody reads it: it is watched for each time that it is
/// raised.
///
/// Invariant: `descriptor` is open from `init` to `deinit`.
struct WakeSignal: ~Copyable, Sendable {
    let descriptor: Int32

    init() throws(TransportError) {
        descriptor = eventfd(0, tf_eventfd_flags)
        guard descriptor >= 0 else { throw .system(operation: "create", subject: "eventfd", code: errno) }
    }

    deinit { Glibc.close(descriptor) }

    func raise() { eventfd_write(descriptor, 1) }
}
