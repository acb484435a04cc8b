public import Wire

extension ControlFrame {
    /// Writes header and body; replaces what the buffer held.
    /// - Parameter version: The session's; 1 where there is none, which everybody reads. A hello has its own.
    public func encode(
        into buffer: inout FrameBuffer, session: UInt32, sequence: UInt64, sentAt: UInt64,
        version: UInt8 = ProtocolVersion.current
    ) {
        write(into: &buffer, session: session, sequence: sequence, sentAt: sentAt, version: version)
        if case .hello = self { return }
        buffer.stamp(version: version)
    }

    private func write(
        into buffer: inout FrameBuffer, session: UInt32, sequence: UInt64, sentAt: UInt64, version: UInt8
    ) {
        switch self {
        case .hello(let frame): frame.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        case .welcome(let frame): frame.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        case .reset(let frame):
            frame.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt, version: version)
        case .heartbeat(let frame): frame.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        case .heartbeatReply(let frame):
            frame.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        case .credit(let frame), .recall(let frame), .recallAck(let frame), .demand(let frame), .trayAck(let frame),
            .probe(let frame), .probeReply(let frame):
            frame.encode(kind: kind, into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        case .goodbye, .goodbyeAck:
            FrameHeader(kind: kind, session: session, sequence: sequence, sentAt: sentAt).encode(into: &buffer)
        case .cancel(let frame): frame.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        }
    }

    /// Reads the body of a frame whose header is decoded.
    /// - Returns: nil when the kind carries work or ledger events, and is not control.
    public static func decode(_ frame: Span<UInt8>, header: FrameHeader) throws(WireError) -> ControlFrame? {
        switch header.kind {
        case .hello: .hello(try Hello(decoding: frame, header: header))
        case .welcome: .welcome(try Welcome(decoding: frame, header: header))
        case .reset: .reset(try Reset(decoding: frame, header: header))
        case .heartbeat: .heartbeat(try Heartbeat(decoding: frame, header: header))
        case .heartbeatReply: .heartbeatReply(try HeartbeatReply(decoding: frame, header: header))
        case .credit: .credit(try Count(decoding: frame, header: header))
        case .recall: .recall(try Count(decoding: frame, header: header))
        case .recallAck: .recallAck(try Count(decoding: frame, header: header))
        case .demand: .demand(try Count(decoding: frame, header: header))
        case .goodbye: .goodbye
        case .goodbyeAck: .goodbyeAck
        case .trayAck: .trayAck(try Count(decoding: frame, header: header))
        case .cancel: .cancel(try Cancel(decoding: frame, header: header))
        case .probe: .probe(try Count(decoding: frame, header: header))
        case .probeReply: .probeReply(try Count(decoding: frame, header: header))
        case .submit, .output, .encode, .textBatch, .generate, .tokenBatch, .tokenize, .tokenized, .record, .recordAck,
            .claim, .claimAnswer:
            nil
        }
    }
}
