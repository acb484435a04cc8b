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
            if let chunk {
                let start = unsafe chunk.base.advanced(by: offset).assumingMemoryBound(to: UInt8.self)
                let buffer = unsafe UnsafeBufferPointer(start: start, count: length)
                return unsafe _overrideLifetime(Span(_unsafeElements: buffer), borrowing: self)
            }
            let words = storage.span
            let buffer: UnsafeBufferPointer<UInt8> = unsafe words.withUnsafeBufferPointer { words in
                guard let message = unsafe Self.handle(words.baseAddress) else {
                    return unsafe UnsafeBufferPointer(start: nil, count: 0)
                }
                let start = unsafe zmq_msg_data(message)?.assumingMemoryBound(to: UInt8.self)
                return unsafe UnsafeBufferPointer(start: start, count: zmq_msg_size(message))
            }
            // `storage` is addressable while `words` lives, and libzmq's memory lives as long as `storage`.
            return unsafe _overrideLifetime(Span(_unsafeElements: buffer), copying: words)
        }
    }

    /// The payload's length in bytes.
    public var count: Int { bytes.count }

    /// Who the ZAP authenticator says sent this; nil on a link without CURVE. Allocates.
    public var userID: String? { property("User-Id") }

    /// The sender's IP address as libzmq saw it; nil on a link without CURVE. Allocates.
    public var peerAddress: String? { property("Peer-Address") }

    /// The descriptor of the connection that this came over, which libzmq tells; nil on other links, whose peers say which
    /// connection it is. Allocates.
    public var source: Int32? { property("__fd").flatMap { Int32($0) } }

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

    private func property(_ name: String) -> String? {
        unsafe read { message in
            unsafe zmq_msg_gets(message, name).map { text in unsafe String(cString: text) }
        } ?? nil
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
