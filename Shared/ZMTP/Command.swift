/// A ZMTP command of the NULL mechanism, and the heartbeats of version 3.1.
public enum Command: Hashable, Sendable {
    /// What a socket says of itself; `identity` is empty if it has none.
    case ready(socketType: String, identity: [UInt8])
    case error(reason: String)
    /// A heartbeat: the sender may be given up when it says nothing for `timeToLive` tenths of a second (0: no limit).
    /// `context` comes back in the answer.
    case ping(timeToLive: UInt16, context: [UInt8])
    case pong(context: [UInt8])
    /// One that is not known here, and is passed over.
    case other(name: String)

    /// The most that a ping's context has.
    private static let longestContext = 16

    /// Reads a command frame's body.
    public init(_ body: Span<UInt8>) throws(ZMTPError) {
        var reader = ByteReader(body)
        guard let count = reader.byte(), count > 0, let raw = reader.take(Int(count)) else {
            throw .malformedCommand("without a name")
        }
        let name = String(decoding: raw, as: UTF8.self)
        switch name {
        case "READY":
            self = try Self.ready(&reader)
        case "ERROR":
            guard let count = reader.byte(), let reason = reader.take(Int(count)) else {
                throw .malformedCommand(name)
            }
            self = .error(reason: String(decoding: reason, as: UTF8.self))
        case "PING":
            guard let high = reader.byte(), let low = reader.byte(), reader.remaining <= Self.longestContext else {
                throw .malformedCommand(name)
            }
            self = .ping(timeToLive: UInt16(high) << 8 | UInt16(low), context: reader.rest())
        case "PONG":
            self = .pong(context: reader.rest())
        default:
            self = .other(name: name)
        }
    }

    /// Metadata: names of 1 to 255 bytes with values whose length has four bytes. Names ignore case.
    private static func ready(_ reader: inout ByteReader) throws(ZMTPError) -> Command {
        var socketType = ""
        var identity: [UInt8] = []
        while reader.remaining > 0 {
            guard let count = reader.byte(), count > 0, let name = reader.take(Int(count)),
                let length = reader.word(), let value = reader.take(Int(length))
            else { throw .malformedCommand("READY") }
            switch String(decoding: name, as: UTF8.self).lowercased() {
            case "socket-type": socketType = String(decoding: value, as: UTF8.self)
            case "identity": identity = value
            default: break
            }
        }
        return .ready(socketType: socketType, identity: identity)
    }

    /// The whole frame, head included.
    public var frame: [UInt8] {
        var body: [UInt8] = []
        func name(_ text: String) {
            body.append(UInt8(text.utf8.count))
            body += text.utf8
        }
        func property(_ key: String, _ value: [UInt8]) {
            name(key)
            for shift in [24, 16, 8, 0] { body.append(UInt8(truncatingIfNeeded: value.count >> shift)) }
            body += value
        }
        switch self {
        case .ready(let socketType, let identity):
            name("READY")
            property("Socket-Type", Array(socketType.utf8))
            property("Identity", identity)
        case .error(let reason):
            name("ERROR")
            name(String(decoding: reason.utf8.prefix(255), as: UTF8.self))
        case .ping(let timeToLive, let context):
            name("PING")
            body += [UInt8(truncatingIfNeeded: timeToLive >> 8), UInt8(truncatingIfNeeded: timeToLive)]
            body += context.prefix(Self.longestContext)
        case .pong(let context):
            name("PONG")
            body += context.prefix(Self.longestContext)
        case .other(let other):
            name(other)
        }
        let head = FrameHead(bodyLength: body.count, isCommand: true)
        let bytes = head.bytes
        return (0..<head.headLength).map { bytes[$0] } + body
    }
}

/// Takes bytes from the front of a command's body; nil where there are too few.
private struct ByteReader: ~Escapable {
    private let bytes: Span<UInt8>
    private var offset = 0

    @_lifetime(copy bytes)
    init(_ bytes: Span<UInt8>) { self.bytes = bytes }

    var remaining: Int { bytes.count - offset }

    mutating func byte() -> UInt8? {
        guard remaining > 0 else { return nil }
        defer { offset += 1 }
        return bytes[offset]
    }

    mutating func word() -> UInt32? {
        guard remaining >= 4 else { return nil }
        defer { offset += 4 }
        return (0..<4).reduce(0) { $0 << 8 | UInt32(bytes[offset + $1]) }
    }

    mutating func take(_ count: Int) -> [UInt8]? {
        guard count <= remaining else { return nil }
        defer { offset += count }
        return (offset..<offset + count).map { bytes[$0] }
    }

    mutating func rest() -> [UInt8] { take(remaining) ?? [] }
}
