public import Telemetry

/// A station as a value: everything that it decides. Events and the time come in as calls, what is to be done goes out
/// through `outbox`, in order. It knows no socket, thread, clock, disk or logger; a shell or a simulator has those.
///
/// After every call, and at the latest before the process blocks, `endTurn` is called and the outbox is emptied, until
/// it stays empty. All times are of one monotonic clock.
public protocol StationValue: ~Copyable, SendableMetatype {
    /// What it wants done beside the line.
    associatedtype Command: Sendable

    var outbox: Outbox<Command> { get set }
    /// Why what it states cannot be recorded at the moment; the shell's to set before `tick` and `endTurn`.
    var recordingFailure: String? { get set }
    /// Whether it has peers for its work.
    var isReady: Bool { get }
    /// Whether the next tick should come soon.
    var awaitsTick: Bool { get }
    /// Whether all that was held is done, after `drain`.
    var isDrained: Bool { get }

    /// A frame came.
    mutating func received(_ frame: Span<UInt8>, from sender: Correspondent, now: LinkTime)
    /// Time passes: several times in each heartbeat interval.
    mutating func tick(_ now: LinkTime)
    /// Puts what is to be done into the outbox.
    mutating func endTurn(_ now: LinkTime)
    /// Takes no more work and finishes what is held.
    mutating func drain(_ now: LinkTime)
    /// The time for that is over: gives the rest up.
    mutating func giveUp(_ now: LinkTime)
    /// Calls `body` with one of the lines upward; nil when there is no such line.
    mutating func withLine<Result>(_ line: Int, _ body: (inout DialSide) -> Result) -> Result?
    /// Calls `body` with the dispatcher of one of the links on which it listens; nil when there is no such link.
    mutating func withLink<Result>(_ link: Int, _ body: (inout Dispatcher) -> Result) -> Result?
    /// A frame could not be sent.
    mutating func unsent(_ frame: Span<UInt8>, to target: Correspondent, now: LinkTime)
    /// States its counters.
    func report(to mirror: MetricMirror)
}

extension StationValue where Self: ~Copyable {
    public var awaitsTick: Bool { false }

    public mutating func withLine<Result>(_ line: Int, _ body: (inout DialSide) -> Result) -> Result? { nil }

    public mutating func withLink<Result>(_ link: Int, _ body: (inout Dispatcher) -> Result) -> Result? { nil }

    /// Ends the session of whom it was for.
    public mutating func unsent(_ frame: Span<UInt8>, to target: Correspondent, now: LinkTime) {
        switch target {
        case .below(let link, let peer): _ = withLink(link) { $0.sendFailed(to: peer) }
        case .above(let line, let link): _ = withLine(line) { $0.sendFailed(on: link) }
        }
    }
}
