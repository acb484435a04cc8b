import Glibc
import ZMTP

/// What a connection has to send: frames one after the other, of which the first may be gone in part.
///
/// Invariant: `bytes[sent...]` waits; `ends[gone...]` are where its frames end, counted from the connection's begin, of
/// which `bytes[0]` is the byte `base`.
struct SendBuffer: ~Copyable {
    enum Outcome: Equatable {
        case done
        /// The kernel takes no more now.
        case blocked
        case failed(Int32)
    }

    private var bytes: [UInt8] = []
    private var sent = 0
    private var base = 0
    private var ends: [Int] = []
    private var gone = 0

    /// Memory above this is given back once it is empty.
    private static let kept = 1 << 20

    /// Bytes that wait.
    var count: Int { bytes.count - sent }

    /// Frames that wait, whole or in part.
    var frames: Int { ends.count - gone }

    /// Appends a message of one frame, copied.
    mutating func append(message body: Span<UInt8>) {
        let head = FrameHead(bodyLength: body.count)
        let prefix = head.bytes
        for index in 0..<head.headLength { bytes.append(prefix[index]) }
        // The pointer is used within the call only, which copies.
        unsafe body.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
        ends.append(base + bytes.count)
    }

    /// Appends what is framed already.
    mutating func append(framed: [UInt8]) {
        bytes += framed
        ends.append(base + bytes.count)
    }

    /// Gives the kernel as much as it takes, without waiting.
    mutating func write(to descriptor: Int32) -> Outcome {
        while sent < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { [sent] bytes in
                unsafe send(
                    descriptor, bytes.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                sent += count
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                forgetSent()
                return .blocked
            case let code: return .failed(code)
            }
        }
        base += bytes.count
        bytes.removeAll(keepingCapacity: bytes.capacity <= Self.kept)
        ends.removeAll(keepingCapacity: ends.capacity <= Self.kept / 8)
        (sent, gone) = (0, 0)
        return .done
    }

    private mutating func forgetSent() {
        while gone < ends.count, ends[gone] <= base + sent { gone += 1 }
        // Moving what is left costs no more than sending what went.
        guard sent >= bytes.count / 2 else { return }
        base += sent
        bytes.removeSubrange(..<sent)
        ends.removeSubrange(..<gone)
        (sent, gone) = (0, 0)
    }
}
