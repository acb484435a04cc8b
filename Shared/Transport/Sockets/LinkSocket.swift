/// What a socket of either make, libzmq's or our own, offers the typed sockets and the reactor.
///
/// Belongs to one thread at a time: its owner's, and once it is registered the reactor's. The typed sockets own theirs
/// alone and are `~Copyable` and not `Sendable`; one that is dropped elsewhere is closed on the reactor's thread.
protocol LinkSocket: AnyObject {
    /// The reactor that polls this, from registration until closing.
    var reactor: Reactor? { get set }
    /// Whether a reactor's loop polls this, and flushes it at the end of each turn; if none does, frames go as they are
    /// sent.
    var isPolled: Bool { get set }
    /// Whether a dealer's handshake is done, as far as its events have been taken.
    var isEstablished: Bool { get }

    /// Connections that were not taken, or were ended for what their other side did.
    var refusals: ConnectionRefusals { get }

    /// Ends what its limits do not let stand, where no event says so.
    func tend(_ now: UInt64)

    /// The owner knows who this peer is; `source` is its message's.
    func admit(_ peer: PeerID, source: Int32?)

    /// Binds, and says where: the actual port if it was 0.
    func bind(_ endpoint: Endpoint) throws(TransportError) -> Endpoint
    func connect(_ endpoint: Endpoint) throws(TransportError)
    func disconnect(_ endpoint: Endpoint) throws(TransportError)
    func close()

    /// Takes the next message of one frame without waiting; nil if there is none. What it drops it counts, and after
    /// many bad messages in a row it says nil though there may be more. A dealer's messages are from nobody.
    func receive(counting counters: inout SocketCounters) throws(TransportError) -> RoutedMessage?
    /// Sends one frame without waiting, copied. A router names the peer.
    func send(_ bytes: Span<UInt8>, to peer: PeerID?) -> SendOutcome
    /// The next connection event, if one is there.
    func nextEvent() throws(TransportError) -> MonitorEvent?
    /// Blocks until a frame or an event is there; false when the time is over. Negative waits for ever.
    func wait(milliseconds: Int) throws(TransportError) -> Bool

    /// What to poll: what becomes readable when frames may be there, and when events may be; nil when there is none.
    var descriptors: (frames: Int32?, events: Int32?) { get }
    /// Whether it has something that its descriptors may have announced already: asked before the thread sleeps.
    func isHolding() -> Bool
    /// What there is, when its descriptors have announced something or not.
    func look(framesAnnounced: Bool, eventsAnnounced: Bool) -> (frames: Bool, events: Bool)
    /// Sends what has gathered since the last time.
    func flush()
}

extension LinkSocket {
    /// How many bad messages one `receive` drops before it says that there is nothing.
    static var refusalsPerReceive: Int { 64 }

    /// Closes the socket where that is allowed; called by the owner's `deinit`, on any thread.
    func release() {
        guard let reactor, !reactor.isCurrent else { return close() }
        // The owner is gone, so nobody but the posted body reaches this socket.
        nonisolated(unsafe) let socket: any LinkSocket = self
        reactor.post { unsafe socket.close() }
    }

    /// Takes the socket out of its reactor's poll.
    func leaveReactor() {
        reactor?.forget(self)
        reactor = nil
    }
}
