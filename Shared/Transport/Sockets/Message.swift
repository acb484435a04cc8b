import CZeroMQ

/// One received frame, in the memory that it was received into: reading it copies nothing.
///
/// Invariant: without a `chunk`, `storage` is an initialised `zmq_msg_t`, which libzmq allows to be relocated bitwise.
/// Up to 33 bytes of payload live inside it, so no pointer into it outlives a borrow of the message. With one, the
/// payload is `length` bytes of it from `offset` on, which nobody writes while the message holds it.
@safe public struct Message: ~Copyable {
    private var storage = InlineArray<8, UInt64>(repeating: 0)
    private let chunk: ReceiveChunk?
    private let offset: Int
    private let length: Int

    /// An empty message of libzmq's.
    init() {
        chunk = nil
        (offset, length) = (0, 0)
        unsafe withHandle { message in _ = unsafe zmq_msg_init(message) }
    }

    /// A part of a connection's memory.
    init(_ chunk: ReceiveChunk, offset: Int, count: Int) {
        self.chunk = chunk
        self.offset = offset
        length = count
    }

    deinit {
        guard chunk == nil else { return }
        var last = storage
        unsafe Self.withHandle(of: &last) { message in _ = unsafe zmq_msg_close(message) }
    }

    /// The payload.
    public var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            if let chunk { return unsafe _overrideLifetime(chunk.bytes(at: offset, count: length), borrowing: self) }
            let words = storage.span
            let buffer: UnsafeBufferPointer<UInt8> = unsafe words.withUnsafeBufferPointer { words in
                unsafe Self.handle(words.baseAddress).map { message in unsafe Self.payload(of: message) }
                    ?? UnsafeBufferPointer(start: nil, count: 0)
            }
            // `storage` is addressable while `words` lives, and libzmq's memory lives as long as `storage`.
            return unsafe _overrideLifetime(Span(_unsafeElements: buffer), copying: words)
        }
    }

    /// The payload's length in bytes.
    public var count: Int { bytes.count }

    /// See ``ReceivedFrame``, as for the next two.
    public var userID: String? { property { $0.userID } }
    public var peerAddress: String? { property { $0.peerAddress } }
    public var source: Int32? { property { $0.source } }

    private func property<Value>(_ value: (ReceivedFrame) -> Value?) -> Value? {
        var found: Value?
        lend(from: PeerID(raw: 0)) { found = value($0) }
        return found
    }

    /// Lends it, and what libzmq knows of it, to `body`.
    func lend(from peer: PeerID, to body: (ReceivedFrame) -> Void) {
        guard chunk == nil else { return body(ReceivedFrame(peer: peer, bytes: bytes)) }
        let lent: Void? = unsafe read { message in
            let bytes = unsafe Span(_unsafeElements: Self.payload(of: message))
            body(unsafe ReceivedFrame(peer: peer, bytes: bytes, message: message))
        }
        precondition(lent != nil, "a message has memory")
    }

    /// The payload in memory of its own.
    func copy() -> [UInt8] {
        let bytes = bytes
        return [UInt8](capacity: bytes.count) { target in
            for index in bytes.indices { target.append(bytes[index]) }
        }
    }

    /// Whether another part of the same message follows.
    var hasMore: Bool { unsafe read { message in unsafe zmq_msg_more(message) != 0 } ?? false }

    /// For libzmq calls that fill or take the message, which is libzmq's.
    mutating func withHandle<Result>(_ body: (UnsafeMutablePointer<zmq_msg_t>) -> Result) -> Result {
        unsafe Self.withHandle(of: &storage, body)
    }

    /// Replaces the content of an empty message by a copy; false, with errno set, if there is no memory.
    mutating func fill(copying bytes: Span<UInt8>) -> Bool {
        unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe withHandle { message in
                guard unsafe zmq_msg_init_size(message, bytes.count) == 0 else {
                    unsafe zmq_msg_init(message)
                    return false
                }
                if let source = bytes.baseAddress {
                    unsafe zmq_msg_data(message)?.copyMemory(from: source, byteCount: bytes.count)
                }
                return true
            }
        }
    }

    private static func payload(of message: UnsafeMutablePointer<zmq_msg_t>) -> UnsafeBufferPointer<UInt8> {
        let start = unsafe zmq_msg_data(message)?.assumingMemoryBound(to: UInt8.self)
        return unsafe UnsafeBufferPointer(start: start, count: zmq_msg_size(message))
    }

    private func read<Result>(_ body: (UnsafeMutablePointer<zmq_msg_t>) -> Result) -> Result? {
        guard chunk == nil else { return nil }
        return unsafe storage.span.withUnsafeBufferPointer { words in
            unsafe Self.handle(words.baseAddress).map { message in unsafe body(message) }
        }
    }

    private static func withHandle<Result>(
        of storage: inout InlineArray<8, UInt64>, _ body: (UnsafeMutablePointer<zmq_msg_t>) -> Result
    ) -> Result {
        unsafe withUnsafeMutablePointer(to: &storage) { words in
            unsafe words.withMemoryRebound(to: zmq_msg_t.self, capacity: 1) { message in unsafe body(message) }
        }
    }

    /// The functions that are given this only read; libzmq does not say `const`.
    private static func handle(_ words: UnsafePointer<UInt64>?) -> UnsafeMutablePointer<zmq_msg_t>? {
        unsafe words.map { words in
            unsafe UnsafeMutableRawPointer(mutating: words).assumingMemoryBound(to: zmq_msg_t.self)
        }
    }
}

/// A frame that a router received, and from whom.
public struct RoutedMessage: ~Copyable {
    public let peer: PeerID
    public let message: Message

    /// The message alone, to be kept.
    public consuming func takeMessage() -> Message { message }
}
