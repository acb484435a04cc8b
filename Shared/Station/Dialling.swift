import Line
public import Transport

/// Resolves the names above again every few seconds, so that either side can be scaled at any time.
///
/// Belongs to the actor that made it.
public final class Dialling {
    /// Nanoseconds between two resolutions of a name that resolves, and of one that does not.
    private static let interval: UInt64 = 2_000_000_000
    private static let retryInterval: UInt64 = 250_000_000

    private let resolver: Resolver
    /// By links and name: two links may dial different ports of one name.
    private var due: [Key: UInt64] = [:]

    private struct Key: Hashable {
        var links: ObjectIdentifier
        var name: String
    }

    public init(resolver: Resolver) { self.resolver = resolver }

    /// Asks for the names of `sockets` that are due.
    /// - Parameters:
    ///   - sessions: How many links have one now.
    ///   - body: Gets a name's addresses, on the reactor's thread; to be passed to `resolved`. A name without addresses
    ///     keeps those that it had.
    func refresh(
        now: UInt64, _ sockets: DialSockets, sessions: Int, reactor: Reactor,
        _ body: @escaping @Sendable (_ name: String, _ addresses: [String]) -> Void
    ) {
        for name in sockets.names {
            let key = Key(links: ObjectIdentifier(sockets), name: name)
            guard now >= due[key, default: 0] else { continue }
            due[key] = now + (sessions == 0 ? Self.retryInterval : Self.interval)
            resolver.resolve(name) { result in
                guard case .success(let addresses) = result, !addresses.isEmpty else { return }
                reactor.post { body(name, addresses) }
            }
        }
    }
}
