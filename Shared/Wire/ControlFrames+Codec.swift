extension Hello {
    /// Writes the frame. Names over `WireLimits.nameBytes` are the operator's to avoid: the receiver refuses them.
    public func encode(into buffer: inout FrameBuffer, session: UInt32 = 0, sequence: UInt64 = 0, sentAt: UInt64 = 0) {
        var header = FrameKind.hello.header(session: session, sequence: sequence, sentAt: sentAt)
        header.version = Self.headerVersion(minimumVersion)
        let carriesKey = header.version >= 2
        buffer.begin(header) { raw in
            raw.put(role.rawValue, at: 32)
            raw.put(minimumVersion, at: 33)
            raw.put(maximumVersion, at: 34)
            raw.put(attempt, at: 36)
            raw.put(epoch, at: 40)
            raw.put(slots, at: 48)
            raw.put(contextLength, at: 52)
            raw.put(longestToken, at: 56)
        }
        buffer.append(model)
        buffer.append(name)
        if carriesKey { buffer.append(key) }
        buffer.finish()
    }

    /// The version of a hello's own frame.
    private static func headerVersion(_ minimum: UInt8) -> UInt8 {
        min(max(minimum, ProtocolVersion.minimum), ProtocolVersion.current)
    }

    /// The role that a hello claims, before the rest of it is checked; nil where there is no such role.
    public static func role(of frame: Span<UInt8>) -> StationRole? {
        frame.count > FrameHeader.size ? StationRole(rawValue: frame[FrameHeader.size]) : nil
    }

    public init(decoding frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        var reader = try FrameReader(frame, header, .hello)
        guard header.version == Self.headerVersion(frame[33]) else {
            throw WireError(.inconsistent, offset: 33, needed: UInt64(header.version), found: UInt64(frame[33]))
        }
        self.init(
            role: try frame.value(at: 32), minimumVersion: frame[33], maximumVersion: frame[34],
            epoch: frame.u64(at: 40), attempt: frame.u32(at: 36), slots: frame.u32(at: 48),
            contextLength: frame.u32(at: 52))
        try frame.reserved(at: 35, count: 1)
        if header.blockLength >= 32 {
            longestToken = frame.u32(at: 56)
            try frame.reserved(at: 60, count: 4)
        }
        try reader.string(frame, into: &model)
        try reader.string(frame, into: &name)
        if header.version >= 2 { try reader.string(frame, into: &key) }
        try reader.finish()
    }
}

extension Welcome {
    /// Writes the frame. Names over `WireLimits.nameBytes` are the operator's to avoid: the receiver refuses them.
    public func encode(into buffer: inout FrameBuffer, session: UInt32, sequence: UInt64 = 0, sentAt: UInt64 = 0) {
        buffer.begin(FrameKind.welcome.header(session: session, sequence: sequence, sentAt: sentAt)) { raw in
            raw.put(role.rawValue, at: 32)
            raw.put(version, at: 33)
            raw.put(window, at: 34)
            raw.put(self.session, at: 36)
            raw.put(epoch, at: 40)
            raw.put(heartbeatMilliseconds, at: 48)
            raw.put(timeoutMilliseconds, at: 52)
            raw.put(outputWindow, at: 56)
        }
        buffer.append(model)
        buffer.append(name)
        buffer.finish()
    }

    public init(decoding frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        var reader = try FrameReader(frame, header, .welcome)
        self.init(
            role: try frame.value(at: 32), version: frame[33], epoch: frame.u64(at: 40), session: frame.u32(at: 36),
            window: frame.u16(at: 34), heartbeatMilliseconds: frame.u32(at: 48),
            timeoutMilliseconds: frame.u32(at: 52))
        if header.blockLength >= 32 {
            outputWindow = frame.u32(at: 56)
            try frame.reserved(at: 60, count: 4)
        }
        try reader.string(frame, into: &model)
        try reader.string(frame, into: &name)
        try reader.finish()
    }
}

extension Reset {
    /// Writes the frame.
    /// - Parameter version: The peer's; 1 where it is not known, which everybody reads.
    public func encode(
        into buffer: inout FrameBuffer, session: UInt32, sequence: UInt64 = 0, sentAt: UInt64 = 0,
        version: UInt8 = ProtocolVersion.current
    ) {
        let header = FrameKind.reset.header(session: session, sequence: sequence, sentAt: sentAt, version: version)
        buffer.begin(header) { raw in
            raw.put(status.written(in: version).rawValue, at: 32)
        }
        buffer.finish()
    }

    public init(decoding frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        let reader = try FrameReader(frame, header, .reset)
        self.init(status: try frame.status(at: 32, version: header.version))
        try frame.reserved(at: 34, count: 6)
        try reader.finish()
    }
}

extension Heartbeat {
    public func encode(into buffer: inout FrameBuffer, session: UInt32, sequence: UInt64 = 0, sentAt: UInt64 = 0) {
        buffer.begin(FrameKind.heartbeat.header(session: session, sequence: sequence, sentAt: sentAt)) { raw in
            raw.put(traysTaken, at: 32)
            raw.put(waiting, at: 40)
        }
        buffer.finish()
    }

    public init(decoding frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        let reader = try FrameReader(frame, header, .heartbeat)
        self.init(waiting: frame.u32(at: 40), traysTaken: frame.u64(at: 32))
        try frame.reserved(at: 44, count: 4)
        try reader.finish()
    }
}

extension HeartbeatReply {
    public func encode(into buffer: inout FrameBuffer, session: UInt32, sequence: UInt64 = 0, sentAt: UInt64 = 0) {
        buffer.begin(FrameKind.heartbeatReply.header(session: session, sequence: sequence, sentAt: sentAt)) { raw in
            raw.put(originAt, at: 32)
            raw.put(receivedAt, at: 40)
            raw.put(stepAge, at: 48)
            raw.put(held, at: 56)
            raw.put(free, at: 60)
            raw.put(contextLength, at: 64)
        }
        buffer.finish()
    }

    public init(decoding frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        let reader = try FrameReader(frame, header, .heartbeatReply)
        self.init(
            originAt: frame.u64(at: 32), receivedAt: frame.u64(at: 40), held: frame.u32(at: 56),
            free: frame.u32(at: 60), stepAge: frame.u64(at: 48))
        if header.blockLength >= 40 {
            contextLength = frame.u32(at: 64)
            try frame.reserved(at: 68, count: 4)
        }
        try reader.finish()
    }
}

extension Count {
    /// The kinds whose whole content is a count.
    public static let kinds: Set<FrameKind> = [
        .credit, .recall, .recallAck, .demand, .trayAck, .probe, .probeReply, .recordAck,
    ]

    /// Writes a frame of one of `Count.kinds`.
    public func encode(
        kind: FrameKind, into buffer: inout FrameBuffer, session: UInt32, sequence: UInt64 = 0, sentAt: UInt64 = 0
    ) {
        var header = kind.header(session: session, sequence: sequence, sentAt: sentAt)
        header.blockLength = 8
        buffer.begin(header) { $0.put(value, at: 32) }
        buffer.finish()
    }

    public init(decoding frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        switch header.kind {
        case .credit, .recall, .recallAck, .demand, .trayAck, .probe, .probeReply, .recordAck: break
        default: throw WireError(.unexpectedKind, offset: 3, found: UInt64(header.kind.rawValue))
        }
        let reader = try FrameReader(frame, header)
        self.init(frame.u64(at: 32))
        try reader.finish()
    }
}

extension Cancel {
    public func encode(into buffer: inout FrameBuffer, session: UInt32, sequence: UInt64 = 0, sentAt: UInt64 = 0) {
        buffer.begin(FrameKind.cancel.header(session: session, sequence: sequence, sentAt: sentAt)) { raw in
            raw.put(handle, at: 32)
        }
        buffer.finish()
    }

    public init(decoding frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        let reader = try FrameReader(frame, header, .cancel)
        self.init(handle: frame.u32(at: 32))
        try frame.reserved(at: 36, count: 4)
        try reader.finish()
    }
}
