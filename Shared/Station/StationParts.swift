public import Transport

/// What every station's loop is made of.
public struct StationParts: Sendable {
    public let context: Context
    public let reactor: Reactor
    public let resolver: Resolver
    /// This process's boot: random, never reused.
    public let epoch: UInt64

    /// - Parameter name: the reactor thread's name.
    public init(name: String, spinMicroseconds: UInt64 = 0) throws(TransportError) {
        context = try Context()
        reactor = try Reactor(name: name, spinMicroseconds: spinMicroseconds)
        resolver = try Resolver()
        epoch = UInt64.random(in: 1...UInt64.max)
    }

    private init(_ parts: StationParts, epoch: UInt64) {
        context = parts.context
        reactor = parts.reactor
        resolver = parts.resolver
        self.epoch = epoch
    }

    /// The same parts for somebody who speaks for a process that is gone.
    func speaking(for epoch: UInt64) -> StationParts { StationParts(self, epoch: epoch) }
}
