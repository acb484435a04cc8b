public import Wire

/// A frame of the line protocol itself, as opposed to one that carries work.
public enum ControlFrame: Equatable, Sendable {
    case hello(Hello)
    case welcome(Welcome)
    case reset(Reset)
    case heartbeat(Heartbeat)
    case heartbeatReply(HeartbeatReply)
    case credit(Count)
    case recall(Count)
    case recallAck(Count)
    case demand(Count)
    case goodbye
    case goodbyeAck
    case trayAck(Count)
    case cancel(Cancel)
    case probe(Count)
    case probeReply(Count)

    /// The kind that stands in the frame's header.
    public var kind: FrameKind {
        switch self {
        case .hello: .hello
        case .welcome: .welcome
        case .reset: .reset
        case .heartbeat: .heartbeat
        case .heartbeatReply: .heartbeatReply
        case .credit: .credit
        case .recall: .recall
        case .recallAck: .recallAck
        case .demand: .demand
        case .goodbye: .goodbye
        case .goodbyeAck: .goodbyeAck
        case .trayAck: .trayAck
        case .cancel: .cancel
        case .probe: .probe
        case .probeReply: .probeReply
        }
    }
}
