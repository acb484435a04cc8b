import Synchronization

/// Holds a submitted stream for as long as anything may still be written of it.
///
/// When it goes, by `end` or because the connection's task is gone, the backend is told, once.
final class StreamLease: Sendable {
    let stream: DoorStream
    private let watch: ConnectionWatch
    private let onEnd: @Sendable (DoorStream) -> Void
    private let isOver = Atomic(false)

    init(stream: DoorStream, watch: ConnectionWatch, onEnd: @escaping @Sendable (DoorStream) -> Void) {
        self.stream = stream
        self.watch = watch
        self.onEnd = onEnd
    }

    deinit { end() }

    func end() {
        guard !isOver.exchange(true, ordering: .acquiringAndReleasing) else { return }
        watch.unwatch()
        stream.cancel()
        onEnd(stream)
    }
}
