public import Wire

/// What a station wants done, in order. A station's value fills it, the shell (or a simulator) does what it says, and
/// empties it; its memory is used again.
///
/// - `Command` is what is to be done beside the line: by an engine, a pool, a door.
public struct Outbox<Command: Sendable>: Sendable {
    /// One thing to do. Numbers are places in the outbox's own memory, good until it is emptied.
    public enum Action: Sendable {
        /// Send this frame.
        case send(frame: Int, to: Correspondent)
        /// Read the frames that come on this link, or leave them where they are.
        case listen(link: Int, isOn: Bool)
        /// Replace this link's connection.
        case reconnect(line: Int, link: UInt32)
        /// State this event to the ledger, with the time of day.
        case record(event: Int)
        /// Write what was stated to the spool, before anything that follows.
        case commit
        /// Have room on disk for the events of so many works.
        case keepRoom(works: Int)
        /// Write this to the log.
        case log(line: Int)
        case command(Int)
    }

    /// What is to be done, in order.
    public private(set) var actions: [Action] = []
    /// What `record` names; the time of day is not in them yet.
    public private(set) var events: [LedgerEvent] = []
    public private(set) var commands: [Command] = []
    /// What `log` names.
    public private(set) var lines: [LogLine] = []
    /// Frames of this filling stand first; behind them lies memory of earlier ones.
    private var frames: [FrameBuffer] = []
    private var frameCount = 0
    private var hasUncommitted = false

    /// Bytes of a frame whose memory is used again.
    private static var frameBytesKept: Int { 256 << 10 }

    public init() {}

    public var isEmpty: Bool { actions.isEmpty }

    /// A frame of this filling.
    public func frame(_ number: Int) -> FrameBuffer { frames[number] }

    /// Forgets everything and keeps the memory.
    public mutating func removeAll() {
        actions.removeAll(keepingCapacity: true)
        events.removeAll(keepingCapacity: true)
        commands.removeAll(keepingCapacity: true)
        lines.removeAll(keepingCapacity: true)
        // A long prompt's memory is not kept for ever.
        for number in 0..<frameCount where frames[number].bytes.count > Self.frameBytesKept {
            frames[number] = FrameBuffer(capacity: 256)
        }
        frameCount = 0
        hasUncommitted = false
    }

    // MARK: Beside the line

    public mutating func command(_ command: Command) {
        actions.append(.command(commands.count))
        commands.append(command)
    }

    /// States an event; the shell gives it the time of day.
    public mutating func record(_ event: LedgerEvent) {
        actions.append(.record(event: events.count))
        events.append(event)
        hasUncommitted = true
    }

    /// What was stated stands in the spool before what follows is done.
    public mutating func commit() {
        guard hasUncommitted else { return }
        hasUncommitted = false
        actions.append(.commit)
    }

    /// Has a link read, or left unread: what is not read waits in its senders.
    public mutating func listen(link: Int, _ isOn: Bool) { actions.append(.listen(link: link, isOn: isOn)) }

    public mutating func keepRoom(works: Int) { actions.append(.keepRoom(works: works)) }

    public mutating func log(_ level: LogLine.Level, _ message: String, _ fields: [String: String] = [:]) {
        actions.append(.log(line: lines.count))
        lines.append(LogLine(level, message, fields))
    }

    // MARK: On the line

    /// Sends a frame to a station above, numbered and stamped; nothing when the session is not the link's any more.
    /// - Parameter write: Puts the frame into the buffer, in the session's version. When it throws, nothing is sent.
    public mutating func send<Failure: Error>(
        on line: Int, _ link: UInt32, session: UInt32, _ side: inout DialSide, now: LinkTime,
        _ write: (inout FrameBuffer, _ version: UInt8) throws(Failure) -> Void
    ) throws(Failure) {
        try prepare(side.version(of: link), write)
        let stamp = side.nextStamp(on: link, session: session)
        if stamp.sequence > 0 { append(.above(line: line, link: link), stamp, now) }
    }

    /// Sends a frame to a peer below, numbered and stamped; nothing when the session is not the peer's any more.
    /// - Returns: The frame's number in the session; 0 when it is not sent.
    @discardableResult
    public mutating func send<Failure: Error>(
        on link: Int, _ session: SessionRef, _ dispatcher: inout Dispatcher, now: LinkTime,
        _ write: (inout FrameBuffer, _ version: UInt8) throws(Failure) -> Void
    ) throws(Failure) -> UInt64 {
        try prepare(dispatcher.version(of: session), write)
        let stamp = dispatcher.nextStamp(to: session.peer, session: session.session)
        if stamp.sequence > 0 { append(.below(link: link, peer: session.peer), stamp, now) }
        return stamp.sequence
    }

    /// Says what the dialling side wants to say and keeps its connections.
    /// - Returns: Anything else that it wants done; nil when there is nothing more.
    public mutating func next(of side: inout DialSide, on line: Int, now: LinkTime) -> DialSide.Action? {
        while let action = side.next() {
            switch action {
            case .control(let link, let session, let frame):
                let stamp = side.nextStamp(on: link, session: session)
                put(.above(line: line, link: link)) {
                    frame.encode(
                        into: &$0, session: session, sequence: stamp.sequence, sentAt: now, version: stamp.version)
                }
            case .reconnect(let link): actions.append(.reconnect(line: line, link: link))
            default: return action
            }
        }
        return nil
    }

    /// Says what the dispatcher wants to say.
    /// - Returns: Anything else that it wants done; nil when there is nothing more.
    public mutating func next(of dispatcher: inout Dispatcher, on link: Int, now: LinkTime) -> Dispatcher.Action? {
        while let action = dispatcher.next() {
            guard case .control(let peer, let session, let frame) = action else { return action }
            let stamp = dispatcher.nextStamp(to: peer, session: session)
            put(.below(link: link, peer: peer)) {
                frame.encode(
                    into: &$0, session: session, sequence: stamp.sequence, sentAt: now, version: stamp.version)
            }
            if case .heartbeat = frame { dispatcher.heartbeatSent(to: peer, sequence: stamp.sequence, sentAt: now) }
        }
        return nil
    }

    /// Has the next frame written, which is sent if it is appended.
    private mutating func prepare<Failure: Error>(
        _ version: UInt8, _ write: (inout FrameBuffer, _ version: UInt8) throws(Failure) -> Void
    ) throws(Failure) {
        if frameCount == frames.count { frames.append(FrameBuffer(capacity: 256)) }
        try write(&frames[frameCount], version)
    }

    private mutating func append(_ target: Correspondent, _ stamp: FrameStamp, _ now: LinkTime) {
        frames[frameCount].stamp(sequence: stamp.sequence, sentAt: now)
        frames[frameCount].stamp(version: stamp.version)
        actions.append(.send(frame: frameCount, to: target))
        frameCount += 1
    }

    private mutating func put(_ target: Correspondent, _ write: (inout FrameBuffer) -> Void) {
        if frameCount == frames.count { frames.append(FrameBuffer(capacity: 256)) }
        write(&frames[frameCount])
        actions.append(.send(frame: frameCount, to: target))
        frameCount += 1
    }
}
