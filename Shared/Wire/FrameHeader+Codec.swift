extension FrameHeader {
    /// Bytes 0 and 1 of every frame: `TF`.
    static let magic = UInt16(UInt8(ascii: "T")) | UInt16(UInt8(ascii: "F")) << 8

    /// Writes a frame that is only this header (`goodbye`, `goodbyeAck`).
    public func encode(into buffer: inout FrameBuffer) {
        var header = self
        header.blockLength = 0
        header.flags = []
        buffer.begin(header) { _ in }
        buffer.finish()
    }

    /// Where the kind stands in a frame.
    public static let kindOffset = 3

    /// What a frame says that it is, before anything of it is checked; nil for what is no frame of a known kind.
    public static func kind(of frame: Span<UInt8>) -> FrameKind? {
        frame.count >= size ? FrameKind(rawValue: frame[kindOffset]) : nil
    }

    /// Reads and checks the header: magic, version, kind, flags, and the lengths against each other, against the
    /// kind's first version and against the frame.
    public static func decode(_ frame: Span<UInt8>) throws(WireError) -> FrameHeader {
        guard frame.count >= size else {
            throw WireError(.truncated, offset: frame.count, needed: size, found: frame.count)
        }
        guard frame.count <= WireLimits.frameBytes else {
            throw WireError(.overLimit, offset: 8, needed: WireLimits.frameBytes, found: frame.count)
        }
        // Of known length, so that its fields need no check of their own.
        let head = frame.extracting(0..<size)
        guard head.u16(at: 0) == magic else {
            throw WireError(.badMagic, offset: 0, needed: UInt64(magic), found: UInt64(head.u16(at: 0)))
        }
        let version = head[2]
        guard version >= ProtocolVersion.minimum, version <= ProtocolVersion.current else {
            throw WireError(
                .unsupportedVersion, offset: 2, needed: UInt64(ProtocolVersion.current), found: UInt64(version))
        }
        guard let kind = FrameKind(rawValue: head[3]) else {
            throw WireError(.unknownKind, offset: 3, needed: 0, found: UInt64(head[3]))
        }
        let flags = FrameFlags(rawValue: head.u16(at: 4))
        guard flags.isSubset(of: kind.allowedFlags) else {
            throw WireError(
                .reservedFlags, offset: 4, needed: UInt64(kind.allowedFlags.rawValue), found: UInt64(flags.rawValue))
        }
        let bodyLength = head.u32(at: 8)
        guard Int(bodyLength) == frame.count - size else {
            throw WireError(.bodyLength, offset: 8, needed: frame.count - size, found: Int(bodyLength))
        }
        let blockLength = head.u16(at: 6)
        guard Int(blockLength) >= kind.minimumBlockLength else {
            throw WireError(.blockTooShort, offset: 6, needed: kind.minimumBlockLength, found: Int(blockLength))
        }
        guard Int(blockLength) <= Int(bodyLength) else {
            throw WireError(.truncated, offset: 6, needed: Int(blockLength), found: Int(bodyLength))
        }
        guard version >= kind.firstVersion else {
            throw WireError(.unknownKind, offset: 3, needed: UInt64(kind.firstVersion), found: UInt64(head[3]))
        }
        guard kind.hasVariableParts || Int(blockLength) == Int(bodyLength) else {
            throw WireError(
                .trailingBytes, offset: size + Int(blockLength), needed: 0, found: Int(bodyLength) - Int(blockLength))
        }
        return FrameHeader(
            version: version, kind: kind, flags: flags, blockLength: blockLength, bodyLength: bodyLength,
            session: head.u32(at: 12), sequence: head.u64(at: 16), sentAt: head.u64(at: 24))
    }
}

extension FrameKind {
    /// Length of the fixed block in version 1, below which no frame of the kind may be.
    var minimumBlockLength: Int {
        switch self {
        case .goodbye, .goodbyeAck: 0
        case .hello: 24
        case .welcome: 24
        case .reset: 8
        case .heartbeat: 16
        case .heartbeatReply: 32
        case .credit, .recall, .recallAck, .demand, .trayAck, .probe, .probeReply, .recordAck: 8
        case .cancel: 8
        case .submit: 72
        case .encode: 80
        case .generate: 88
        case .output, .textBatch, .tokenBatch: 16
        case .tokenize: 32
        case .tokenized: 24
        case .record: 16
        case .claim: 64
        case .claimAnswer: 40
        }
    }

    /// Length of the fixed block that is written in a version. A block that grew without needing a version is written
    /// in full in each.
    func blockLength(in version: UInt8) -> Int {
        switch self {
        case .hello, .welcome: 32
        case .heartbeatReply: 40
        case .submit where version >= 2: 96
        case .encode where version >= 2: 104
        case .generate where version >= 2: 104
        default: minimumBlockLength
        }
    }

    /// The version that brought it.
    var firstVersion: UInt8 {
        switch self {
        case .claim, .claimAnswer, .tokenize, .tokenized: 2
        default: 1
        }
    }

    /// Whether parts may follow the fixed block.
    var hasVariableParts: Bool {
        switch self {
        case .hello, .welcome, .submit, .encode, .generate, .output, .textBatch, .tokenBatch, .tokenize, .tokenized,
            .record, .claim:
            true
        default: false
        }
    }

    var allowedFlags: FrameFlags {
        switch self {
        case .output, .textBatch, .tokenBatch: .hops
        default: []
        }
    }

    /// The header that an encoder writes in a version.
    func header(
        session: UInt32, sequence: UInt64, sentAt: UInt64, flags: FrameFlags = [],
        version: UInt8 = ProtocolVersion.current
    ) -> FrameHeader {
        FrameHeader(
            version: version, kind: self, flags: flags, blockLength: UInt16(blockLength(in: version)),
            session: session, sequence: sequence, sentAt: sentAt)
    }
}
