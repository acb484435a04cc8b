/// How a peer breaks ZMTP (https://rfc.zeromq.org/spec/37/), or asks for what is not spoken here.
public enum ZMTPError: Error, Hashable, Sendable {
    /// What came first is no greeting.
    case notZeroMQ
    /// A peer from before version 3.
    case unsupportedVersion(UInt8)
    /// The peer wants another security mechanism.
    case mechanismMismatch(String)
    /// Two sockets of these types do not talk.
    case incompatibleSocket(String)
    /// A command that does not decode; its name.
    case malformedCommand(String)
    /// A command, or a message, that has no place in the handshake.
    case unexpected(String)
    /// The peer said ERROR: its reason.
    case refused(String)
    /// Reserved bits are set, or a command says that more follows.
    case malformedFrame(flags: UInt8)
    /// A frame is longer than what is taken, in bytes.
    case oversized(length: UInt64, limit: Int)
}

extension ZMTPError {
    /// What the peer is told before the end of the connection: an ERROR for a socket of a type that has no place here,
    /// nothing otherwise.
    public var farewell: [UInt8] {
        guard case .incompatibleSocket(let type) = self else { return [] }
        return Command.error(reason: "Invalid socket type \(type)").frame
    }

    /// Whether the next attempt at the same address would fare no better: the other side refuses, or is something else
    /// than what is looked for. The rest may be a fault on the way.
    public var isRefusal: Bool {
        switch self {
        case .notZeroMQ, .unsupportedVersion, .mechanismMismatch, .incompatibleSocket, .refused: true
        case .malformedCommand, .unexpected, .malformedFrame, .oversized: false
        }
    }
}

extension ZMTPError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notZeroMQ: "not a ZeroMQ peer"
        case .unsupportedVersion(let major): "speaks ZMTP \(major), not 3"
        case .mechanismMismatch(let name): "asks for the security mechanism \(name)"
        case .incompatibleSocket(let type): "a \(type) socket has no place here"
        case .malformedCommand(let name): "the command \(name) does not decode"
        case .unexpected(let what): "\(what) within the handshake"
        case .refused(let reason): "refused: \(reason)"
        case .malformedFrame(let flags): "a frame with flags \(flags)"
        case .oversized(let length, let limit): "a frame of \(length) bytes, where \(limit) are taken"
        }
    }
}
