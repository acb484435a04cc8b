import Glibc

/// Memory that bytes are received into.
///
/// Invariant: `base` has `capacity` bytes from `init` to `deinit`. Its buffer, the only writer, writes when it reads, and
/// its socket reads nothing while bytes of it are lent.
@safe final class ReceiveChunk {
    let base: UnsafeMutableRawPointer
    let capacity: Int

    init(capacity: Int) {
        unsafe base = .allocate(byteCount: capacity, alignment: 16)
        self.capacity = capacity
    }

    deinit { unsafe base.deallocate() }

    /// Bytes that were received into it.
    @_lifetime(borrow self)
    func bytes(at offset: Int, count: Int) -> Span<UInt8> {
        precondition(offset >= 0 && count >= 0 && count <= capacity - offset, "bytes within the chunk")
        let start = unsafe base.advanced(by: offset).assumingMemoryBound(to: UInt8.self)
        return unsafe _overrideLifetime(Span(_unsafeStart: start, count: count), borrowing: self)
    }
}

/// What one read gave.
enum ReadOutcome: Equatable {
    /// Whether it filled all the room, so that more may be there.
    case some(isFull: Bool)
    case nothing
    /// The other side hung up.
    case ended
    case failed(Int32)
}

/// The bytes of a connection that are received and not yet used.
///
/// Invariant: `start <= end <= chunk.capacity`, and the bytes between them are initialised.
@safe struct ReceiveBuffer: ~Copyable {
    /// Where they stand; another one, or moved, once more is read.
    private(set) var chunk: ReceiveChunk
    /// From where on.
    private(set) var start = 0
    private var end = 0
    private var wasFilled = false

    private static let smallest = 4096
    /// As much as a busy connection gets at once; longer frames have longer memory while they come in.
    private static let ordinary = 128 << 10
    /// The same for one whose peer has not shown who it is.
    private static let modest = 32 << 10

    /// Whether it takes little memory, as long as no frame needs more.
    var isModest = false

    init() { chunk = ReceiveChunk(capacity: Self.smallest) }

    /// What is there, until the next call that changes the buffer.
    var unread: Span<UInt8> {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(chunk.bytes(at: start, count: end - start), borrowing: self) }
    }

    /// How many they are.
    var count: Int { end - start }

    mutating func skip(_ count: Int) { start = min(start + count, end) }

    /// Reads once, without waiting.
    mutating func read(from descriptor: Int32) -> ReadOutcome {
        makeRoom()
        let room = chunk.capacity - end
        while true {
            let count = unsafe Glibc.read(descriptor, chunk.base.advanced(by: end), room)
            if count > 0 {
                end += count
                wasFilled = count == room
                return .some(isFull: wasFilled)
            }
            if count == 0 { return .ended }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .nothing
            case let code: return .failed(code)
            }
        }
    }

    /// Makes at least half of the chunk free.
    private mutating func makeRoom() {
        let left = end - start
        let ordinary = isModest ? Self.modest : Self.ordinary
        var capacity = chunk.capacity
        if capacity < ordinary, wasFilled { capacity *= 2 }
        while left > capacity / 2 { capacity *= 2 }
        // What a long frame needed is given back after it.
        if capacity > ordinary, left <= ordinary / 2 { capacity = ordinary }
        if capacity == chunk.capacity {
            guard start > 0, left == 0 || capacity - end < capacity / 2 else { return }
            unsafe chunk.base.copyMemory(from: chunk.base.advanced(by: start), byteCount: left)
            (start, end) = (0, left)
            return
        }
        let next = ReceiveChunk(capacity: capacity)
        unsafe next.base.copyMemory(from: chunk.base.advanced(by: start), byteCount: left)
        chunk = next
        (start, end) = (0, left)
    }
}
