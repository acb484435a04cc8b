/// What stands before the body of each ZMTP 3 frame: a byte of flags and the length, in one byte or in eight.
public struct FrameHead: Hashable, Sendable {
    public let isCommand: Bool
    /// Whether another frame of the same message follows.
    public let hasMore: Bool
    /// Bytes of the head itself: 2 or 9.
    public let headLength: Int
    public let bodyLength: Int

    private static let more: UInt8 = 1
    private static let long: UInt8 = 2
    private static let command: UInt8 = 4
    private static let reserved: UInt8 = 0xf8

    public var length: Int { headLength + bodyLength }

    /// Reads the head at the beginning of `bytes`; nil if it is not all there.
    ///
    /// - Parameter limit: The longest body that is taken; not negative.
    public init?(_ bytes: Span<UInt8>, limit: Int) throws(ZMTPError) {
        guard bytes.count >= 2 else { return nil }
        let flags = bytes[0]
        guard flags & Self.reserved == 0, flags & Self.command == 0 || flags & Self.more == 0 else {
            throw .malformedFrame(flags: flags)
        }
        var length = UInt64(bytes[1])
        if flags & Self.long != 0 {
            guard bytes.count >= 9 else { return nil }
            for index in 2..<9 { length = length << 8 | UInt64(bytes[index]) }
        }
        guard length <= UInt64(limit) else { throw .oversized(length: length, limit: limit) }
        isCommand = flags & Self.command != 0
        hasMore = flags & Self.more != 0
        headLength = flags & Self.long != 0 ? 9 : 2
        bodyLength = Int(length)
    }

    /// The head of a frame that stands alone.
    public init(bodyLength: Int, isCommand: Bool = false) {
        self.isCommand = isCommand
        hasMore = false
        self.bodyLength = bodyLength
        headLength = bodyLength < 256 ? 2 : 9
    }

    /// Hands on the head's bytes, of which the first `headLength` count.
    public var bytes: InlineArray<9, UInt8> {
        var bytes = InlineArray<9, UInt8>(repeating: 0)
        bytes[0] = (isCommand ? Self.command : 0) | (hasMore ? Self.more : 0)
        if headLength == 2 {
            bytes[1] = UInt8(truncatingIfNeeded: bodyLength)
        } else {
            bytes[0] |= Self.long
            for index in 0..<8 { bytes[8 - index] = UInt8(truncatingIfNeeded: bodyLength >> (8 * index)) }
        }
        return bytes
    }
}
