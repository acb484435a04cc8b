/// One received frame in memory of its own, for code that keeps it.
public struct Message: Sendable {
    private let payload: [UInt8]
    /// See ``ReceivedFrame``, as for the next two.
    public let userID: String?
    public let peerAddress: String?
    public let source: Int32?

    init(_ frame: ReceivedFrame) {
        let bytes = frame.bytes
        payload = [UInt8](capacity: bytes.count) { target in
            for index in bytes.indices { target.append(bytes[index]) }
        }
        (userID, peerAddress, source) = (frame.userID, frame.peerAddress, frame.source)
    }

    public var bytes: Span<UInt8> { payload.span }
}

/// A frame that a router received, and from whom.
public struct RoutedMessage: Sendable {
    public let peer: PeerID
    public let message: Message

    init(_ frame: ReceivedFrame) {
        peer = frame.peer
        message = Message(frame)
    }
}
