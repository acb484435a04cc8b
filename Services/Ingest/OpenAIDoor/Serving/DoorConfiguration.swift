public import AdminDoor
import Foundation
public import Keys

/// What an HTTP door needs to know.
public struct DoorConfiguration: Sendable {
    public var address: DoorAddress
    /// Nil: whoever can connect may use the door; see `checkExposure`.
    public var keys: KeyRing?
    /// The tenant of all requests on a door without keys.
    public var openTenant = "default"
    /// Bytes of a request's body, at most.
    public var bodyLimit = 8 << 20
    /// Bound of `max_tokens`.
    public var maximumTokens: Int64 = 1 << 20
    /// Connections at once; more wait in the listen queue.
    public var maximumConnections = 16_384
    /// After which time without a complete request a connection is closed.
    public var idleTimeout: Duration = .seconds(75)
    /// Bytes of answers that the system may hold for one connection: what it holds counts as delivered, although the
    /// client may never read it. Linux takes twice as much, for its own bookkeeping.
    public var sendBuffer = 256 << 10
    /// `system_fingerprint` of all answers.
    public var fingerprint = "fp_token_factory"
    /// Seconds since 1970.
    public var now: @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970) }
    /// An id for a request that brought none.
    public var makeID: @Sendable () -> DoorRequestID = {
        var generator = SystemRandomNumberGenerator()
        return .new(milliseconds: UInt64(Date().timeIntervalSince1970 * 1000), using: &generator)
    }

    public init(address: DoorAddress, keys: KeyRing? = nil) {
        self.address = address
        self.keys = keys
    }

    /// A door that others than this machine could use without a key.
    public struct Exposed: Error, Equatable, CustomStringConvertible {
        public var address: DoorAddress

        public var description: String {
            "the HTTP door at \(address) has no file of API keys, so it may listen on loopback only"
        }
    }

    /// Refuses a door without keys that does not listen on loopback only. Call before serving.
    public func checkExposure() throws(Exposed) {
        guard keys == nil, !address.isLoopback else { return }
        throw Exposed(address: address)
    }
}
