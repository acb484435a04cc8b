/// The 32 bytes that begin every frame.
public struct FrameHeader: Equatable, Sendable {
    /// Size of the encoded header in bytes.
    public static let size = 32

    public var version: UInt8
    public var kind: FrameKind
    public var flags: FrameFlags
    /// Length of the kind's fixed block in bytes.
    public var blockLength: UInt16
    /// Length in bytes of all that follows the header.
    public var bodyLength: UInt32
    /// Link session, 0 before the welcome.
    public var session: UInt32
    /// Counts this sender's frames in this session, from 1.
    public var sequence: UInt64
    /// Nanoseconds on the sender's monotonic clock.
    public var sentAt: UInt64

    public init(
        version: UInt8 = ProtocolVersion.current, kind: FrameKind, flags: FrameFlags = [], blockLength: UInt16 = 0,
        bodyLength: UInt32 = 0, session: UInt32 = 0, sequence: UInt64 = 0, sentAt: UInt64 = 0
    ) {
        self.version = version
        self.kind = kind
        self.flags = flags
        self.blockLength = blockLength
        self.bodyLength = bodyLength
        self.session = session
        self.sequence = sequence
        self.sentAt = sentAt
    }
}

/// Bits 0–15 of the header's flags; every bit not named here is reserved and must be 0.
public struct FrameFlags: OptionSet, Equatable, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Hop records follow the last variable part.
    public static let hops = FrameFlags(rawValue: 1 << 0)
}

/// Versions of the protocol.
public enum ProtocolVersion {
    public static let minimum: UInt8 = 1
    public static let current: UInt8 = 2

    /// The version that two peers speak: the lower of both maxima, or nil when their ranges do not meet.
    public static func negotiate(minimum: UInt8, maximum: UInt8) -> UInt8? {
        let version = min(maximum, current)
        return version >= max(minimum, self.minimum) ? version : nil
    }
}

/// Bounds that hold before anything is allocated.
public enum WireLimits {
    /// Bytes of a whole frame, header included.
    public static let frameBytes = 16 << 20
    /// Token ids in one prompt, original and resumed together.
    public static let promptTokens = 1 << 20
    /// Bytes of one string (a message's content, a text prompt).
    public static let stringBytes = 8 << 20
    /// Strings of a prompt (twice the number of chat messages).
    public static let promptStrings = 4096
    /// Stop strings of a request.
    public static let stopStrings = 16
    /// Bytes of a name: model, tenant, key, worker.
    public static let nameBytes = 255
    /// Rows of a tray.
    public static let rows = 65_535
    /// Token ids in one tray: what fits in a frame.
    public static let trayTokens = frameBytes / 4
    /// Hop records of a frame.
    public static let hopRecords = 65_535
    /// Events in one record frame.
    public static let events = 4096
    /// Token ids that end a request's answer.
    public static let stopTokens = 128
    /// Tokens whose logits a request may shift.
    public static let logitBiases = 1024
    /// Bytes of the JSON object with a chat template's arguments.
    public static let templateArgumentBytes = 64 << 10
    /// Bytes of a request's label.
    public static let labelBytes = 256
}
