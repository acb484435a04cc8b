import NIOCore
import Synchronization

/// Gathers the streams that have news, so that the event loop is woken once for all that come before it looks.
final class DoorOutbox: Sendable {
    private struct State: Sendable {
        var streams: [DoorStream] = []
        /// The event loop has been asked to look.
        var isAnnounced = false
        var look: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    /// - Parameter look: Called on the event loop when there are streams; nil ends that.
    func setLook(_ look: (@Sendable () -> Void)?) {
        state.withLock { $0.look = look }
    }

    /// From any thread.
    func list(_ stream: DoorStream) {
        let look = state.withLock { state -> (@Sendable () -> Void)? in
            state.streams.append(stream)
            guard !state.isAnnounced, let look = state.look else { return nil }
            state.isAnnounced = true
            return look
        }
        if let look { loop.execute(look) }
    }

    /// - Parameter streams: Empty; its memory is used again.
    func take(_ streams: inout [DoorStream]) {
        state.withLock { state in
            swap(&streams, &state.streams)
            state.isAnnounced = false
        }
    }
}
