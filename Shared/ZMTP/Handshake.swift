/// One side of a ZMTP 3.1 handshake with the NULL mechanism, without a socket: bytes in, bytes out.
///
/// Each side sends ``greeting`` at once. A dealer says READY when it has seen the router's greeting, a router when it has
/// seen what dials it: whoever has no place here gets ERROR instead of it.
public struct Handshake: Sendable {
    /// The socket types that are spoken here.
    public enum Role: Hashable, Sendable {
        case router
        /// Its routing id may be empty.
        case dealer(identity: [UInt8])

        var socketType: String {
            switch self {
            case .router: "ROUTER"
            case .dealer: "DEALER"
            }
        }

        var identity: [UInt8] {
            if case .dealer(let identity) = self { identity } else { [] }
        }

        /// REQ and REP put an empty frame before each message: their messages would be dropped, and their users wait.
        func talks(to socketType: String) -> Bool {
            switch self {
            case .router: ["DEALER", "ROUTER"].contains(socketType)
            case .dealer: ["ROUTER", "DEALER"].contains(socketType)
            }
        }
    }

    /// The other side, as it introduced itself.
    public struct Peer: Hashable, Sendable {
        public let socketType: String
        public let identity: [UInt8]
        /// Whether it knows PING and PONG, which came with version 3.1.
        public let hasHeartbeats: Bool
    }

    /// What became of received bytes.
    public struct Step: Sendable {
        /// How many of them the handshake took.
        public var consumed = 0
        /// What is to be sent.
        public var reply: [UInt8] = []
        /// There when the handshake is done; bytes that it did not take are frames.
        public var peer: Peer?
    }

    private let role: Role
    private var hasHeartbeats: Bool?

    /// Far above what a READY of any socket has.
    private static let longestCommand = 1024
    private static let greetingLength = 64
    private static let mechanism = Array("NULL".utf8)

    public init(_ role: Role) { self.role = role }

    /// Signature, version 3.1, mechanism NULL, not a server.
    public static let greeting: [UInt8] = {
        let signature: [UInt8] = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f]
        let head = signature + [3, 1] + mechanism
        return head + [UInt8](repeating: 0, count: greetingLength - head.count)
    }()

    /// Takes what came from the peer and was not consumed yet.
    public mutating func receive(_ bytes: Span<UInt8>) throws(ZMTPError) -> Step {
        var step = Step()
        if hasHeartbeats == nil {
            guard let minor = try Self.minorVersion(in: bytes) else { return step }
            hasHeartbeats = minor >= 1
            step.consumed = Self.greetingLength
            if case .dealer = role { step.reply = ready }
        }
        let rest = bytes.extracting(step.consumed...)
        guard let head = try FrameHead(rest, limit: Self.longestCommand), rest.count >= head.length else {
            return step
        }
        guard head.isCommand else { throw .unexpected("a message") }
        switch try Command(rest.extracting(head.headLength..<head.length)) {
        case .ready(let socketType, let identity):
            guard role.talks(to: socketType) else { throw .incompatibleSocket(socketType) }
            step.peer = Peer(socketType: socketType, identity: identity, hasHeartbeats: hasHeartbeats == true)
            if case .router = role { step.reply = ready }
        case .error(let reason): throw .refused(reason)
        case .ping: throw .unexpected("PING")
        case .pong: throw .unexpected("PONG")
        case .other(let name): throw .unexpected(name)
        }
        step.consumed += head.length
        return step
    }

    private var ready: [UInt8] { Command.ready(socketType: role.socketType, identity: role.identity).frame }

    /// Checks a greeting as far as it has come; its minor version when it is all there.
    private static func minorVersion(in bytes: Span<UInt8>) throws(ZMTPError) -> UInt8? {
        if bytes.count > 0, bytes[0] != 0xff { throw .notZeroMQ }
        if bytes.count > 9, bytes[9] != 0x7f { throw .notZeroMQ }
        if bytes.count > 10, bytes[10] < 3 { throw .unsupportedVersion(bytes[10]) }
        guard bytes.count >= greetingLength else { return nil }
        let name = (12..<32).map { bytes[$0] }.prefix { $0 != 0 }
        guard Array(name) == mechanism else { throw .mechanismMismatch(String(decoding: name, as: UTF8.self)) }
        return bytes[11]
    }
}
