/// Why a frame was refused (or, for the encoders that throw, why no frame was made).
public struct WireError: Error, Equatable, Sendable {
    public enum Reason: Equatable, Sendable {
        /// The frame ends before what it announces.
        case truncated
        /// Bytes are left after the last part.
        case trailingBytes
        /// The first two bytes are not the magic.
        case badMagic
        case unsupportedVersion
        case unknownKind
        /// A reserved flag is set, or one that this kind does not have.
        case reservedFlags
        /// The header's body length is not the frame's.
        case bodyLength
        /// The fixed block (or a row) is shorter than its first version.
        case blockTooShort
        /// A count or length is over its limit in `WireLimits`.
        case overLimit
        /// A field's value has no meaning: an unknown enumerator, a truth value over 1, a reserved byte that is not 0.
        case invalidValue
        case invalidUTF8
        /// Parts of the frame disagree, such as the rows' token counts and the number of tokens.
        case inconsistent
        /// Another kind than the one asked for.
        case unexpectedKind
    }

    public var reason: Reason
    /// Byte offset in the frame of what is wrong; never beyond the frame's end.
    public var offset: Int
    /// What would have been right: a length, a limit, a value.
    public var needed: UInt64
    /// What stands there.
    public var found: UInt64

    public init(_ reason: Reason, offset: Int, needed: UInt64 = 0, found: UInt64 = 0) {
        self.reason = reason
        self.offset = offset
        self.needed = needed
        self.found = found
    }

    init(_ reason: Reason, offset: Int, needed: Int, found: Int) {
        self.init(
            reason, offset: offset, needed: UInt64(truncatingIfNeeded: needed), found: UInt64(truncatingIfNeeded: found)
        )
    }
}

extension WireError: CustomStringConvertible {
    public var description: String { "\(reason) at byte \(offset): needed \(needed), found \(found)" }
}
