public import AdminDoor
import Foundation
public import Keys
import Release

/// What an HTTP door needs to know.
public struct DoorConfiguration: Sendable {
    public var address: DoorAddress
    /// Nil: whoever can connect may use the door; see `checkExposure`.
    public var keys: KeyRing?
    /// Makes the door TLS; nil for plain HTTP.
    public var certificate: DoorCertificate?
    /// The tenant of all requests on a door without keys.
    public var openTenant = "default"
    /// Bytes of a request's body, at most.
    public var bodyLimit = 8 << 20
    /// Bound of `max_tokens`.
    public var maximumTokens: Int64 = 1 << 20
    /// Connections at once; more wait in the listen queue.
    public var maximumConnections = 16_384
    /// Connections of one address that is not this machine's, at once.
    public var connectionsPerAddress = 2048
    /// Connections at once that have not shown a key, where there are keys: with the bound of a head, what they take
    /// together is bounded. The oldest one gives way.
    public var maximumStrangers = 1024
    /// Bytes of bodies that are being read, of all connections together.
    public var bodiesLimit = 512 << 20
    /// How long a connection may be without a request.
    public var idleTimeout: Duration = .seconds(75)
    /// How long a request's head may take, from its first byte; a TLS handshake, from the connection's begin; and the body of one that is refused.
    public var headTimeout: Duration = .seconds(10)
    /// How long a request's body may take as a whole.
    public var bodyTimeout: Duration = .seconds(60)
    /// How long an answer in one piece may lie in a socket whose client does not read.
    public var unreadTimeout: Duration = .seconds(60)
    /// How long a client that is told of an error before it has sent all may take to read that.
    public var lingerTimeout: Duration = .seconds(2)
    /// How long connections may take to come to their end once the door stops.
    public var stopTimeout: Duration = .seconds(3)
    /// After which time without text a streamed answer begins with a comment, and how often one follows.
    public var firstComment: Duration = .seconds(2)
    public var laterComments: Duration = .seconds(10)
    /// How often connections are held to their times.
    public var sweepInterval: Duration = .milliseconds(250)
    /// Pages of these origins may ask; `*` for all.
    public var corsOrigins: [String] = []
    /// Requests with fields that are unknown are refused.
    public var strictFields = false
    /// What `/version` says.
    public var version = ProductVersion.text
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
            "the HTTP door at \(address) has no file of API keys, so it may listen on loopback only; "
                + "beyond it the keys need TLS as well, the door's own or a proxy's"
        }
    }

    /// Whether keys and prompts cross a network that others may read.
    public var isReadable: Bool { certificate == nil && !address.isLoopback }

    /// Refuses a door without keys that does not listen on loopback only. Call before serving.
    public func checkExposure() throws(Exposed) {
        guard keys == nil, !address.isLoopback else { return }
        throw Exposed(address: address)
    }
}
