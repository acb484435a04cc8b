/// A peer's ZeroMQ routing id: eight bytes, the first of which is not 0 (libzmq keeps such ids for itself).
public struct PeerID: Hashable, Sendable {
    /// The eight bytes as a little-endian integer, so that the first byte is the lowest.
    public var raw: UInt64

    public init(raw: UInt64) { self.raw = raw }

    /// A new id: `role` in the first byte and 56 random bits, so that a process that starts again is a new peer.
    ///
    /// - Parameter role: What the peer is; not 0.
    public static func random(role: UInt8, using generator: inout some RandomNumberGenerator) -> PeerID {
        precondition(role != 0, "a routing id starts with a byte other than 0")
        let bits: UInt64 = generator.next()
        return PeerID(raw: bits << 8 | UInt64(role))
    }

    /// The routing frame.
    var bytes: [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: raw >> UInt64(8 * $0)) } }

    /// The first byte.
    public var role: UInt8 { UInt8(truncatingIfNeeded: raw) }

    /// Reads a routing frame; nil unless it has eight bytes with a first one other than 0.
    init?(routingFrame: Span<UInt8>) {
        guard routingFrame.count == 8, routingFrame[0] != 0 else { return nil }
        var raw: UInt64 = 0
        for index in 0..<8 { raw |= UInt64(routingFrame[index]) << UInt64(8 * index) }
        self.raw = raw
    }
}

extension PeerID: CustomStringConvertible {
    /// Sixteen hexadecimal digits of `raw`.
    public var description: String {
        let digits = String(raw, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
