import Synchronization

/// The way of one answer from the thread that makes it to the connection that writes it to the client.
///
/// One producer pushes and never waits; the connection takes all that has come since it last looked, so that a client
/// that reads slowly costs fewer and larger writes, and memory up to the answer's length: `max_tokens` bounds it, and
/// admission bounds the streams. Methods may be called on any thread.
public final class DoorStream: Sendable {
    /// Unique among the streams of one door.
    public let number: UInt64

    /// Text that goes out in one write.
    struct Batch: Sendable {
        var text: [UInt8] = []
        var tokens = 0
        var end: DoorEnd?
        /// The backend waits to hear that the client's socket has taken all up to here.
        var isAwaited = false

        mutating func clear() {
            text.removeAll(keepingCapacity: true)
            tokens = 0
            end = nil
            isAwaited = false
        }
    }

    /// What `take` found.
    enum News: Equatable {
        case nothing
        /// A batch; whether another one waits already.
        case batch(hasMore: Bool)
    }

    /// Who is told of what happens to a door's streams, on whatever thread it happens.
    struct Observer: Sendable {
        /// Text or an end is there; not again until it has been taken.
        var onNews: @Sendable (DoorStream) -> Void
        /// The client has left before the end. At most once.
        var onCancel: @Sendable (DoorStream) -> Void
    }

    /// So much text makes a batch of its own when more waits: what a socket has taken is known batch by batch.
    static let batchBytes = 64 << 10
    /// So much text may wait without the client counting as behind.
    static let promptBytes = 16 << 10

    private struct State: Sendable {
        var next = Batch()
        /// What comes after `next`.
        var later: [Batch] = []
        var waitingBytes = 0
        var isFinished = false
        var isCancelled = false
        var isAbandoned = false
        /// The observer knows that there is something.
        var isListed = false

        var isOpen: Bool { !isFinished && !isCancelled && !isAbandoned }

        var isReady: Bool { !next.text.isEmpty || next.end != nil || next.isAwaited }

        mutating func append(_ text: ArraySlice<UInt8>, _ tokens: Int) {
            waitingBytes += text.count
            if later.isEmpty, next.text.count < batchBytes {
                next.text.append(contentsOf: text)
                next.tokens += tokens
            } else if let last = later.indices.last, later[last].text.count < batchBytes {
                later[last].text.append(contentsOf: text)
                later[last].tokens += tokens
            } else {
                later.append(Batch(text: Array(text), tokens: tokens))
            }
        }

        mutating func mark(_ change: (inout Batch) -> Void) {
            if let last = later.indices.last { change(&later[last]) } else { change(&next) }
        }

        /// Whether the observer has to be told.
        mutating func list() -> Bool {
            guard isReady, !isListed else { return false }
            isListed = true
            return true
        }
    }

    private let state = Mutex(State())
    private let delivered = Atomic<Int>(0)
    private let prompt = Atomic<Int>(0)
    private let cached = Atomic<Int>(0)
    private let isBlocked = Atomic(false)
    private let observer: Observer

    /// True: the answer is one of several that the client gets together, or none of them. Its end is to be awaited
    /// (`pushAwaited`) for as long as that takes.
    public let isHeld: Bool

    init(number: UInt64, isHeld: Bool = false, observer: Observer) {
        self.number = number
        self.isHeld = isHeld
        self.observer = observer
    }

    // MARK: For the backend

    /// Adds text. Empty text counts its tokens and tells nobody.
    ///
    /// - Parameters:
    ///   - text: UTF-8; a character may be split between two pushes, but the answer must not end in half a one.
    ///   - tokenCount: How many tokens became this text.
    /// - Returns: False if the client has left or the stream is finished: the text is dropped.
    @discardableResult
    public func push(_ text: ArraySlice<UInt8>, tokenCount: Int) -> Bool {
        change { $0.append(text, tokenCount) }
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
        change { state in
            state.append(text, tokenCount)
            state.mark { $0.end = end }
            state.isFinished = true
        }
    }

    /// Adds the last text and asks for `CompletionBackend.accepted` when the client's socket has taken it all; `finish`
    /// is to follow then.
    ///
    /// - Returns: False if the client has left or the stream is finished: nothing will be told.
    @discardableResult
    public func pushAwaited(_ text: ArraySlice<UInt8>, tokenCount: Int) -> Bool {
        change { state in
            state.append(text, tokenCount)
            state.mark { $0.isAwaited = true }
        }
    }

    /// Gives the stream up, although the client is there: its connection is closed, what waits is dropped.
    public func abandon() {
        let isNews = state.withLock { state in
            guard !state.isCancelled, !state.isAbandoned else { return false }
            state.isAbandoned = true
            return true
        }
        if isNews { observer.onNews(self) }
    }

    private func change(_ body: (inout State) -> Void) -> Bool {
        let (isOpen, mustTell) = state.withLock { state -> (Bool, Bool) in
            guard state.isOpen else { return (false, false) }
            body(&state)
            return (true, state.list())
        }
        if mustTell { observer.onNews(self) }
        return isOpen
    }

    /// Notes the tokens of the prompt, as soon as they are known: events may tell them before the answer's end.
    public func note(promptTokens: Int, cachedTokens: Int) {
        prompt.store(promptTokens, ordering: .relaxed)
        cached.store(cachedTokens, ordering: .relaxed)
    }

    /// As `note` was told, 0 before; with so many tokens of the answer.
    func usage(completionTokens: Int) -> DoorUsage {
        DoorUsage(
            promptTokens: prompt.load(ordering: .relaxed), completionTokens: completionTokens,
            cachedTokens: cached.load(ordering: .relaxed))
    }

    /// True once the client has left.
    public var isCancelled: Bool {
        state.withLock { $0.isCancelled }
    }

    /// Tokens whose text the client's socket has accepted; final once the client has left.
    public var deliveredTokens: Int {
        delivered.load(ordering: .relaxed)
    }

    /// Text that waits for the connection, in bytes.
    var waitingBytes: Int {
        state.withLock { $0.waitingBytes }
    }

    /// Whether the client's socket has not yet taken all of the last write, or more than a little text waits.
    public var isBehind: Bool {
        isHeld || isBlocked.load(ordering: .acquiring) || waitingBytes > Self.promptBytes
    }

    // MARK: For the connection

    /// Whether the backend has given the stream up.
    var isAbandoned: Bool {
        state.withLock { $0.isAbandoned }
    }

    /// Takes what comes next.
    ///
    /// - Parameter batch: Gets it; its memory is used again.
    func take(_ batch: inout Batch) -> News {
        batch.clear()
        return state.withLock { state in
            guard state.isReady, !state.isCancelled, !state.isAbandoned else {
                state.isListed = false
                return .nothing
            }
            swap(&batch, &state.next)
            state.waitingBytes -= batch.text.count
            state.isListed = !state.later.isEmpty
            if state.isListed { state.next = state.later.removeFirst() }
            return .batch(hasMore: state.isListed)
        }
    }

    /// Notes tokens whose text the socket has accepted.
    func deliver(_ tokens: Int) {
        delivered.wrappingAdd(tokens, ordering: .relaxed)
    }

    /// Notes whether a write waits for the socket.
    ///
    /// - Returns: Whether one did.
    @discardableResult
    func setBlocked(_ isBlocked: Bool) -> Bool {
        self.isBlocked.exchange(isBlocked, ordering: .acquiringAndReleasing)
    }

    /// The client has left. Tells the observer, unless the answer is complete or given up.
    func cancel() {
        let isNews = state.withLock { state in
            guard !state.isCancelled else { return false }
            defer { state.isCancelled = true }
            state.next = Batch()
            state.later = []
            state.waitingBytes = 0
            return state.isOpen
        }
        if isNews { observer.onCancel(self) }
    }
}
