import CLinux
import Glibc

/// A detached POSIX thread that runs `body` once.
enum ReactorThread {
    private final class Start {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// - Parameter name: The kernel shows its first 15 bytes.
    static func launch(name: String, _ body: @escaping @Sendable () -> Void) throws(TransportError) {
        let start = unsafe Unmanaged.passRetained(Start(name: name, body: body))
        var thread = pthread_t()
        let result = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                // Balances passRetained: this is the only taker.
                let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                _ = unsafe tf_name_thread(String(decoding: start.name.utf8.prefix(15), as: UTF8.self))
                // Signals belong to the main thread.
                var signals = sigset_t()
                unsafe sigfillset(&signals)
                unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
                start.body()
                return nil
            }, start.toOpaque())
        guard result == 0 else {
            unsafe start.release()
            throw .system(operation: "create", subject: "thread \(name)", code: result)
        }
        pthread_detach(thread)
    }

    /// The calling thread's id; never 0.
    static var current: UInt { UInt(pthread_self()) }
}
