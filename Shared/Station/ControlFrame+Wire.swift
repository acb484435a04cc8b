import Line
import Wire

extension ControlFrame {
    /// Writes the frame into a reused buffer.
    func encode(into buffer: inout FrameBuffer, session: UInt32, sequence: UInt64, sentAt: UInt64) {
        func count(_ value: Count) {
            value.encode(kind: kind, into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        }
        switch self {
        case .hello(let hello):
            hello.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        case .welcome(let welcome):
            welcome.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        case .reset(let reset):
            reset.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        case .heartbeat(let heartbeat):
            heartbeat.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        case .heartbeatReply(let reply):
            reply.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        case .cancel(let cancel):
            cancel.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
        case .goodbye, .goodbyeAck:
            FrameHeader(kind: kind, session: session, sequence: sequence, sentAt: sentAt).encode(into: &buffer)
        case .credit(let value), .recall(let value), .recallAck(let value), .demand(let value), .trayAck(let value),
            .probe(let value), .probeReply(let value):
            count(value)
        }
    }

    /// Reads a frame of the line protocol; nil when the header's kind carries work.
    init?(decoding frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        switch header.kind {
        case .hello: self = .hello(try Hello(decoding: frame, header: header))
        case .welcome: self = .welcome(try Welcome(decoding: frame, header: header))
        case .reset: self = .reset(try Reset(decoding: frame, header: header))
        case .heartbeat: self = .heartbeat(try Heartbeat(decoding: frame, header: header))
        case .heartbeatReply: self = .heartbeatReply(try HeartbeatReply(decoding: frame, header: header))
        case .credit: self = .credit(try Count(decoding: frame, header: header))
        case .recall: self = .recall(try Count(decoding: frame, header: header))
        case .recallAck: self = .recallAck(try Count(decoding: frame, header: header))
        case .demand: self = .demand(try Count(decoding: frame, header: header))
        case .goodbye: self = .goodbye
        case .goodbyeAck: self = .goodbyeAck
        case .trayAck: self = .trayAck(try Count(decoding: frame, header: header))
        case .cancel: self = .cancel(try Cancel(decoding: frame, header: header))
        case .probe: self = .probe(try Count(decoding: frame, header: header))
        case .probeReply: self = .probeReply(try Count(decoding: frame, header: header))
        default: return nil
        }
    }
}
