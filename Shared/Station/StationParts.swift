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
}
