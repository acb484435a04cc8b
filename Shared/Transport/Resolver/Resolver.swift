import Synchronization

/// Finds all addresses of a host name, on a thread of its own since `getaddrinfo` blocks.
///
/// A name that is being looked up is not looked up twice: everybody who asks meanwhile gets the same answer.
public final class Resolver: Sendable {
    public typealias Reply = @Sendable (Result<[String], TransportError>) -> Void

    private let thread: Reactor
    private let pending = Mutex<[String: [Reply]]>([:])

    public init() throws(TransportError) { thread = try Reactor(name: "resolver") }

    deinit { thread.stop() }

    /// Looks up `host` and calls `reply` on the resolver's thread with its numeric IPv4 and IPv6 addresses, sorted.
    public func resolve(_ host: String, _ reply: @escaping Reply) {
        let isFirst = pending.withLock { pending in
            pending[host, default: []].append(reply)
            return pending[host]?.count == 1
        }
        guard isFirst else { return }
        thread.post {
            let result = AddressLookup.addresses(of: host)
            for reply in self.pending.withLock({ $0.removeValue(forKey: host) }) ?? [] { reply(result) }
        }
    }

    /// All numeric IPv4 and IPv6 addresses of `host`, sorted.
    public func resolve(_ host: String) async throws(TransportError) -> [String] {
        let result = await withCheckedContinuation { continuation in
            resolve(host) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// The endpoint once for each address of its host; itself if it is not TCP.
    public func resolve(_ endpoint: Endpoint) async throws(TransportError) -> [Endpoint] {
        guard case .tcp(let host, let port) = endpoint else { return [endpoint] }
        return try await resolve(host).map { .tcp(host: $0, port: port) }
    }
}
