import CZeroMQ

/// One part of a message of libzmq's.
///
/// Invariant: `storage` is an initialised `zmq_msg_t`, which libzmq allows to be relocated bitwise. Up to 33 bytes of
/// payload live inside it, so no pointer into it outlives a borrow of the message.
@safe struct LibraryMessage: ~Copyable {
    private var storage = InlineArray<8, UInt64>(repeating: 0)

    /// An empty one.
    init() { unsafe withHandle { message in _ = unsafe zmq_msg_init(message) } }

    deinit {
        var last = storage
        unsafe Self.withHandle(of: &last) { message in _ = unsafe zmq_msg_close(message) }
    }

    /// The payload.
    var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            let words = storage.span
            let buffer: UnsafeBufferPointer<UInt8> = unsafe words.withUnsafeBufferPointer { words in
                unsafe Self.handle(words.baseAddress).map { message in unsafe Self.payload(of: message) }
                    ?? UnsafeBufferPointer(start: nil, count: 0)
            }
            // `storage` is addressable while `words` lives, and libzmq's memory lives as long as `storage`.
            return unsafe _overrideLifetime(Span(_unsafeElements: buffer), copying: words)
        }
    }

    /// Lends it, and what libzmq knows of it, to `body`, and says what that says.
    func lend(from peer: PeerID, to body: (ReceivedFrame) -> Bool) -> Bool {
        unsafe read { message in
            let bytes = unsafe Span(_unsafeElements: Self.payload(of: message))
            return body(unsafe ReceivedFrame(peer: peer, bytes: bytes, message: message))
        } ?? false
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
        unsafe storage.span.withUnsafeBufferPointer { words in
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
