import CZeroMQ

/// One received frame, lent while whoever receives it decodes it: its bytes stand where they were received, and nothing
/// is counted or allocated for it.
///
/// Invariant: `message` is nil, or an initialised `zmq_msg_t` that lives as long as `bytes` are lent.
@safe public struct ReceivedFrame: ~Escapable {
    /// Who sent it; on a dealer, whose router has no id, nobody (0).
    public let peer: PeerID
    public let bytes: Span<UInt8>
    private let message: UnsafeMutablePointer<zmq_msg_t>?

    @_lifetime(copy bytes)
    init(peer: PeerID, bytes: Span<UInt8>) {
        self.peer = peer
        self.bytes = bytes
        unsafe message = nil
    }

    @_lifetime(copy bytes)
    @unsafe init(peer: PeerID, bytes: Span<UInt8>, message: UnsafeMutablePointer<zmq_msg_t>) {
        self.peer = peer
        self.bytes = bytes
        unsafe self.message = unsafe message
    }

    /// Who the ZAP authenticator says sent this; nil on a link without CURVE. Allocates.
    public var userID: String? { property("User-Id") }

    /// The sender's IP address as libzmq saw it; nil on a link without CURVE. Allocates.
    public var peerAddress: String? { property("Peer-Address") }

    /// The descriptor of the connection that this came over, which libzmq tells; nil on other links, whose peers say which
    /// connection it is. Allocates.
    public var source: Int32? { property("__fd").flatMap { Int32($0) } }

    private func property(_ name: String) -> String? {
        guard let message = unsafe message else { return nil }
        return unsafe zmq_msg_gets(message, name).map { text in unsafe String(cString: text) }
    }
}
