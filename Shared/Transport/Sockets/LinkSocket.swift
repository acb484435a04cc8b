/// What a socket of either make, libzmq's or our own, offers the typed sockets and the reactor.
///
/// Belongs to one thread at a time: its owner's, and once it is registered the reactor's. The typed sockets own theirs
/// alone and are `~Copyable` and not `Sendable`; one that is dropped elsewhere is closed on the reactor's thread.
protocol LinkSocket: Watched {
    /// Its place in a reactor, until it is cancelled or the socket closed; the reactor sets it.
    var registration: Registration? { get set }
    /// What it has done for its owner.
    var tally: SocketTally { get }
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

    /// Takes up to `limit` messages of one frame without waiting, and lends each to `body`, which says whether to go on and
    /// may do everything with the socket but receive. What it drops it counts, and after many bad messages it returns though there may be more.
    /// A dealer's messages are from nobody.
    func receive(upTo limit: Int, _ body: (ReceivedFrame) -> Bool) throws(TransportError)
    /// Sends one frame without waiting, copied. A router names the peer.
    func send(_ bytes: Span<UInt8>, to peer: PeerID?) -> SendOutcome
    /// The next connection event, if one is there.
    func nextEvent() throws(TransportError) -> MonitorEvent?
    /// Blocks until a frame or an event is there; false when the time is over. Negative waits for ever. For sockets
    /// without a reactor.
    func wait(milliseconds: Int) throws(TransportError) -> Bool

    // MARK: For the reactor

    /// Has this poller watch its descriptors, and none that did before.
    func watch(by poller: Poller?)
    /// What there may be for its owner.
    var held: (frames: Bool, events: Bool) { get }
    /// Whether there is something for its owner that no announcement will come for: asked before the thread sleeps.
    func isHolding() -> Bool
    /// When it wants to be called next for the time's sake; the greatest number for never.
    var dueAt: UInt64 { get }
    func timePassed(_ now: UInt64)
    /// Sends what has gathered since the last time.
    func flush()
}

extension LinkSocket {
    /// How many bad messages one `receive` drops before it says that there is nothing.
    static var refusalsPerReceive: Int { 64 }

    /// Whether a reactor watches it, and flushes it at the end of each turn; if none does, frames go as they are sent.
    var isPolled: Bool { registration?.isActive ?? false }

    /// Has its reactor call the owner in the next turn, if there is something for it.
    func hold() {
        if let registration { registration.loop.hold(registration) }
    }

    /// Closes the socket where that is allowed; called by the owner's `deinit`, on any thread.
    func release() {
        guard let reactor = registration?.reactor, !reactor.isCurrent else { return close() }
        // The owner is gone, so nobody but the posted body reaches this socket.
        nonisolated(unsafe) let socket: any LinkSocket = self
        reactor.post { unsafe socket.close() }
    }
}

/// What a typed socket counts, whichever make speaks for it.
final class SocketTally {
    var counters = SocketCounters()
}
