public import Wire

/// A frame's content that rows are put into.
public protocol RowBatch {
    /// The tray's number in its session.
    var tray: UInt64 { get set }
    /// Writes the frame that the station above takes.
    func write(into frame: inout FrameBuffer, session: UInt32, version: UInt8)
    /// Empties it and keeps its memory.
    mutating func clear()
}

/// What came of putting a row into a batch.
public enum RowOutcome: Sendable {
    /// The next row goes on where this one had to end.
    case more
    /// All that was there.
    case taken
    /// That was the last row of its request.
    case ended
}

/// A request whose tokens gather until a frame can go.
public protocol RowSource: AnyObject {
    associatedtype Batch: RowBatch

    /// The key under which the line that takes the rows knows it.
    var work: UInt64 { get }
    /// Whether it stands in its tray; the tray's to set.
    var isListed: Bool { get set }
    /// Whether its next row leaves the frame within what a peer accepts.
    func fits(_ batch: borrowing Batch) -> Bool
    /// Appends one row.
    /// - Parameter sentAt: When the frame goes, on the monotonic clock.
    func takeRow(into batch: inout Batch, sentAt: UInt64) -> RowOutcome
}

/// What waits for one link's session: requests with something that stands in no frame yet. What comes while the window
/// is shut joins the row of its request, so that a slow peer gets fewer and longer rows, and no row waits for another.
public final class RowTray<Source: RowSource> {
    public let link: UInt32
    public let session: UInt32
    /// False once the session has ended: then nothing gathers.
    public private(set) var isOpen = true
    @usableFromInline var waiting: [Source] = []
    /// Works whose last row `fill` put into the batch.
    @usableFromInline var ended: [UInt64] = []

    /// Works whose last row the last `fill` put into the batch.
    @inlinable
    public var endedWorks: [UInt64] { ended }

    public init(link: UInt32, session: UInt32) {
        self.link = link
        self.session = session
    }

    @inlinable
    public var isEmpty: Bool { waiting.isEmpty }

    /// Notes that the request has something to send.
    @inlinable
    public func list(_ source: Source) {
        guard isOpen, !source.isListed else { return }
        source.isListed = true
        waiting.append(source)
    }

    /// The session has ended: what waits goes nowhere.
    public func close() {
        isOpen = false
        for source in waiting { source.isListed = false }
        waiting = []
    }

    /// Replaces the batch's content by as many rows as a frame holds, in the order in which their requests came.
    /// - Parameter sentAt: When the frame goes.
    @inlinable
    public func fill(_ batch: inout Source.Batch, sentAt: UInt64) {
        batch.clear()
        ended.removeAll(keepingCapacity: true)
        var taken = 0
        while taken < waiting.count {
            let source = waiting[taken]
            guard source.fits(batch) else { break }
            switch source.takeRow(into: &batch, sentAt: sentAt) {
            case .more: continue
            case .taken: break
            case .ended: ended.append(source.work)
            }
            source.isListed = false
            taken += 1
        }
        if taken == waiting.count {
            waiting.removeAll(keepingCapacity: true)
        } else {
            waiting.removeFirst(taken)
        }
    }
}

extension Outbox {
    /// Sends what waits in the tray and the window lets through; works whose last row went have ended.
    /// - Parameters:
    ///   - line: Which of the station's lines upward; see `Correspondent`.
    ///   - batch: Memory for the rows.
    public mutating func flush<Source>(
        _ tray: RowTray<Source>, through batch: inout Source.Batch, on line: Int, _ side: inout DialSide, now: LinkTime
    ) {
        while !tray.isEmpty, let number = side.trayToSend(on: tray.link) {
            tray.fill(&batch, sentAt: now)
            batch.tray = number
            send(on: line, tray.link, session: tray.session, &side, now: now) { frame, version in
                batch.write(into: &frame, session: tray.session, version: version)
            }
            for work in tray.ended { side.ended(work) }
        }
    }
}

extension TokenBatch: RowBatch {
    public func write(into frame: inout FrameBuffer, session: UInt32, version: UInt8) {
        encode(into: &frame, session: session, version: version)
    }

    public mutating func clear() {
        rows.removeAll(keepingCapacity: true)
        tokens.removeAll(keepingCapacity: true)
        hops.removeAll(keepingCapacity: true)
    }
}

extension TextBatch: RowBatch {
    public func write(into frame: inout FrameBuffer, session: UInt32, version: UInt8) {
        encode(kind: .textBatch, into: &frame, session: session, version: version)
    }

    public mutating func clear() {
        rows.removeAll(keepingCapacity: true)
        tokens.removeAll(keepingCapacity: true)
        text.removeAll(keepingCapacity: true)
        hops.removeAll(keepingCapacity: true)
    }
}
