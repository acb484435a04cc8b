import Glibc
import Testing

@testable import Transport
import ZMTP

/// A TCP client that sends what it is told.
final class Stranger {
    private let descriptor: Int32

    init(_ endpoint: Endpoint) throws {
        let address = try #require(StreamAddress.all(of: endpoint).first)
        descriptor = address.open()
        _ = address.connect(descriptor)
    }

    deinit { close(descriptor) }

    /// Says what a dealer says first.
    func greet(as id: PeerID = .fresh()) {
        send(Handshake.greeting + Command.ready(socketType: "DEALER", identity: id.bytes).frame)
    }

    /// Whether the other end has hung up, which takes part meanwhile.
    func isClosed(by other: (any LinkSocket)?) -> Bool {
        other?.takePart()
        var piece = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe Glibc.read(descriptor, &piece, piece.count)
            if count == 0 || count < 0 && errno == ECONNRESET { return true }
            if count < 0 { return false }
        }
    }

    /// Waits until it is connected.
    func send(_ bytes: [UInt8]) {
        var target = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = unsafe poll(&target, 1, Int32(patience))
        #expect(unsafe Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
    }

    /// What has come so far.
    func hear() -> [UInt8] {
        var piece = [UInt8](repeating: 0, count: 4096)
        let count = unsafe Glibc.read(descriptor, &piece, piece.count)
        return Array(piece.prefix(max(0, count)))
    }

    /// Sends what the kernel takes at once.
    func push(_ bytes: [UInt8]) {
        _ = unsafe Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// All that comes until the other end hangs up, which takes part meanwhile.
    func hearUntilClosed(_ other: (any LinkSocket)?, _ also: () throws -> Void = {}) throws -> [UInt8] {
        var heard: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        let end = MonotonicClock.now() + UInt64(patience) * 1_000_000
        while MonotonicClock.now() < end {
            other?.takePart()
            try also()
            let count = unsafe Glibc.read(descriptor, &piece, piece.count)
            if count > 0 { heard += piece.prefix(count) }
            if count == 0 || count < 0 && errno == ECONNRESET { return heard }
            var source = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            _ = unsafe poll(&source, 1, 1)
        }
        throw TimedOut()
    }
}
