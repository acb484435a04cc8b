import Synchronization

/// The way of one answer from the thread that makes it to the task that writes it to the client.
///
/// One producer pushes and never waits; one consumer takes all that has come since it last looked, so that a client
/// that reads slowly costs fewer and larger writes, and memory up to the answer's length: `max_tokens` bounds it, and
/// admission bounds the streams. In the steady state nothing is allocated: two buffers change places.
public final class DoorStream: Sendable {
    /// Unique among the streams of one door.
    public let number: UInt64

    /// What has come since the last look.
    struct Batch: Sendable {
        var text: [UInt8] = []
        var tokens = 0
        var end: DoorEnd?
        /// The client has left; nothing else counts.
        var isCancelled = false
    }

    private struct State: Sendable {
        var pending = Batch()
        var isFinished = false
        var isCancelled = false
        var consumer: CheckedContinuation<Void, Never>?

        var isReady: Bool {
            isCancelled || !pending.text.isEmpty || pending.end != nil
        }

        mutating func takeConsumer() -> CheckedContinuation<Void, Never>? {
            defer { consumer = nil }
            return consumer
        }
    }

    private let state = Mutex(State())
    private let delivered = Atomic<Int>(0)
    private let onCancel: @Sendable (DoorStream) -> Void

    /// - Parameter onCancel: Called at most once, on the thread that cancels, if the stream was not finished by then.
    init(number: UInt64, onCancel: @escaping @Sendable (DoorStream) -> Void) {
        self.number = number
        self.onCancel = onCancel
    }

    /// Adds text. Empty text counts its tokens and wakes nobody.
    ///
    /// - Parameters:
    ///   - text: UTF-8; a character may be split between two pushes, but the answer must not end in half a one.
    ///   - tokenCount: How many tokens became this text.
    /// - Returns: False if the client has left or the stream is finished: the text is dropped.
    @discardableResult
    public func push(_ text: ArraySlice<UInt8>, tokenCount: Int) -> Bool {
        let (isOpen, consumer) = state.withLock { state -> (Bool, CheckedContinuation<Void, Never>?) in
            guard !state.isFinished, !state.isCancelled else { return (false, nil) }
            state.pending.text.append(contentsOf: text)
            state.pending.tokens += tokenCount
            return (true, text.isEmpty ? nil : state.takeConsumer())
        }
        consumer?.resume()
        return isOpen
    }

    /// Ends the answer; the first call counts.
    ///
    /// - Returns: False if the client has left or the stream was finished before.
    @discardableResult
    public func finish(_ end: DoorEnd) -> Bool {
        finish(end, text: [], tokenCount: 0)
    }

    /// Adds the last text and ends the answer in one step, so that both reach the client in one write.
    @discardableResult
    public func finish(_ end: DoorEnd, text: ArraySlice<UInt8>, tokenCount: Int) -> Bool {
        let (isOpen, consumer) = state.withLock { state -> (Bool, CheckedContinuation<Void, Never>?) in
            guard !state.isFinished, !state.isCancelled else { return (false, nil) }
            state.pending.text.append(contentsOf: text)
            state.pending.tokens += tokenCount
            state.pending.end = end
            state.isFinished = true
            return (true, state.takeConsumer())
        }
        consumer?.resume()
        return isOpen
    }

    /// True once the client has left.
    public var isCancelled: Bool {
        state.withLock { $0.isCancelled }
    }

    /// Tokens whose text the client's socket has accepted.
    public var deliveredTokens: Int {
        delivered.load(ordering: .relaxed)
    }

    /// Text that waits for the client, in bytes.
    public var waitingBytes: Int {
        state.withLock { $0.pending.text.count }
    }

    /// Notes tokens whose text the socket has accepted.
    func deliver(_ tokens: Int) {
        delivered.wrappingAdd(tokens, ordering: .relaxed)
    }

    /// The client has left. Tells the backend, unless the answer is complete, and wakes the consumer.
    func cancel() {
        let (isNews, consumer) = state.withLock { state -> (Bool, CheckedContinuation<Void, Never>?) in
            guard !state.isCancelled else { return (false, nil) }
            state.isCancelled = true
            state.pending = Batch()
            return (!state.isFinished, state.takeConsumer())
        }
        if isNews { onCancel(self) }
        consumer?.resume()
    }

    /// Waits until there is text, an end, or a client that has left, and takes it all.
    ///
    /// - Parameter batch: A used batch, whose memory is used again.
    func next(reusing batch: consuming Batch = Batch()) async -> Batch {
        var batch = batch
        batch.text.removeAll(keepingCapacity: true)
        batch.tokens = 0
        batch.end = nil
        while true {
            if take(&batch) { return batch }
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.isReady { return true }
                    state.consumer = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        }
    }

    private func take(_ batch: inout Batch) -> Bool {
        state.withLock { state in
            guard state.isReady else { return false }
            swap(&batch, &state.pending)
            batch.isCancelled = state.isCancelled
            return true
        }
    }
}
