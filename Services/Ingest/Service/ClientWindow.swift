/// What went out to a client of the ZeroMQ door and was not yet shown to be read, in bytes.
///
/// What goes out within the window counts as delivered. Beyond it nothing goes out, so that whoever never reads is
/// billed for one window at most, and costs no more memory than that. A client shows that it reads by the number of
/// the last tray that it read, or by its answer to a heartbeat, which it can only have read after all frames before it.
struct ClientWindow {
    /// Bytes that may go out unread: what a socket of the HTTP door takes.
    static let bytes = 256 << 10

    private struct Frame {
        var sequence: UInt64
        var tray: UInt64
        var bytes: Int
    }

    private var frames: [Frame] = []
    private var head = 0
    private var lastTray: UInt64 = 0
    /// Bytes that went out and were not shown to be read.
    private(set) var unread = 0

    /// Bytes that may go out now.
    var room: Int { max(0, Self.bytes - unread) }

    /// A frame went out.
    /// - Parameters:
    ///   - sequence: Its number in the session.
    ///   - tray: The number of its tray.
    mutating func sent(sequence: UInt64, tray: UInt64, bytes: Int) {
        frames.append(Frame(sequence: sequence, tray: tray, bytes: bytes))
        unread += bytes
        lastTray = tray
    }

    /// The client has read all frames up to this number of the session.
    mutating func read(framesThrough sequence: UInt64) { forget { $0.sequence <= sequence } }

    /// The client says that it has read all trays up to this one.
    /// - Returns: False when no such tray was sent.
    mutating func read(traysThrough tray: UInt64) -> Bool {
        guard tray <= lastTray else { return false }
        forget { $0.tray <= tray }
        return true
    }

    private mutating func forget(_ isRead: (Frame) -> Bool) {
        while head < frames.count, isRead(frames[head]) {
            unread -= frames[head].bytes
            head += 1
        }
        // Moving the rest costs less than what was taken since the last time.
        if head > frames.count / 2 {
            frames.removeFirst(head)
            head = 0
        }
    }
}
