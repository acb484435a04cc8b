import CLinux
import Glibc
import ZMTP

/// One connection of a stream socket: a descriptor, how far its handshake is, and what is on its way in and out.
///
/// Invariant: `descriptor` is open until ``close()``, and −1 after it.
final class StreamConnection {
    enum Phase {
        case connecting
        case greeting(Handshake)
        case open
    }

    let slot: Int
    private(set) var descriptor: Int32
    /// Where a poller watches it; nil while none does.
    var place: Poller.Place?
    /// The bound address that it came in at, or the dialled one.
    let endpoint: Endpoint
    var phase: Phase
    /// Its routing id; nil if that has not eight bytes.
    var peer: PeerID?
    var received = ReceiveBuffer()
    var unsent = SendBuffer()
    /// Whether the last read filled its room.
    var mayHaveMore = false
    /// Whether it stands among those that may have frames.
    var isQueued = false
    /// Whether it stands among those that have something to send.
    var isDirty = false
    /// Whether the kernel takes no more, and will say when it does.
    var isBlocked = false
    /// Whether the parts of a message are being dropped.
    var isMidMessage = false
    /// When the handshake must be done.
    var deadline: UInt64
    var liveness = Liveness()
    /// What a listening socket counts of it; nil on one that was dialled.
    var standing: Standing?
    /// Since when a frame is begun whose end has not come; 0 if none is.
    var begunAt: UInt64 = 0

    struct Standing {
        /// Grows with each connection of the socket.
        let number: UInt64
        let address: PeerAddress?
        var isStranger = true
        /// What stands in the census for this connection.
        var begunBytes = 0
        var unsentBytes = 0
    }

    init(slot: Int, descriptor: Int32, endpoint: Endpoint, phase: Phase, deadline: UInt64) {
        self.slot = slot
        self.descriptor = descriptor
        self.endpoint = endpoint
        self.phase = phase
        self.deadline = deadline
    }

    deinit { close() }

    var isClosed: Bool { descriptor < 0 }

    var isOpen: Bool {
        if case .open = phase { !isClosed } else { false }
    }

    var isShaking: Bool {
        if case .greeting = phase { true } else { false }
    }

    /// What it waits for.
    var interest: Poller.Interest {
        if case .connecting = phase { return .writing }
        return isBlocked ? [.reading, .writing] : .reading
    }

    func close() {
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        descriptor = -1
    }

    /// What became of the attempt to connect: an errno, or 0.
    func connectError() -> Int32 {
        var code: Int32 = 0
        var length: socklen_t = 4
        return unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) == 0 ? code : errno
    }
}

/// Whether a connection's other side is there, told by what it sends: counted in heartbeat intervals, so that it needs
/// no clock and a process that stood still does not blame its peers.
struct Liveness: Equatable {
    enum Verdict: Equatable {
        case alive
        /// It said nothing for an interval, and is to be asked.
        case ask
        case dead
    }

    /// Whether something came since the last beat.
    var isHeard = true
    /// Whether it answers heartbeats.
    var answers = false
    /// Milliseconds after which it asked to be given up when it is silent; nil if it did not.
    var timeToLive: Int?
    private var silent = 0

    /// An interval is over.
    ///
    /// - Parameters:
    ///   - interval: its length in milliseconds.
    ///   - timeout: milliseconds that an answer may take.
    mutating func beat(interval: Int, timeout: Int) -> Verdict {
        defer { isHeard = false }
        guard !isHeard else {
            silent = 0
            return .alive
        }
        silent += 1
        if let timeToLive, silent * interval >= timeToLive { return .dead }
        guard answers else { return .alive }
        // The first silent interval ends with the question.
        return (silent - 1) * interval >= timeout ? .dead : .ask
    }
}
