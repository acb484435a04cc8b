import CLlama

/// Tokens for one decoding step, of any number of sequences. Reused from step to step, so that none allocates.
// The storage is its own, and whoever changes it has exclusive access.
@safe
public struct LlamaBatch: ~Copyable, @unchecked Sendable {
    /// The most tokens that it holds.
    public let capacity: Int
    /// The tokens that were added since it was cleared.
    public var count: Int { Int(unsafe storage.n_tokens) }

    var storage: llama_batch

    public init(capacity: Int) {
        precondition(capacity > 0 && Int32(exactly: capacity) != nil, "a batch holds 1 to 2³¹ - 1 tokens")
        self.capacity = capacity
        unsafe storage = unsafe llama_batch_init(Int32(capacity), 0, 1)
    }

    deinit {
        unsafe llama_batch_free(storage)
    }

    public mutating func clear() {
        unsafe storage.n_tokens = 0
    }

    /// Adds a token; the batch must have room for it.
    ///
    /// - Parameters:
    ///   - position: its place in the sequence, from 0.
    ///   - sequence: below the context's `maximumSequences`.
    ///   - wantLogits: whether the step computes what may follow it.
    /// - Returns: its index, for ``LlamaContext/withLogits(_:_:)``.
    @discardableResult
    public mutating func add(token: UInt32, position: Int32, sequence: Int32, wantLogits: Bool) -> Int {
        let index = count
        precondition(index < capacity, "the batch is full")
        unsafe storage.token[index] = llama_token(bitPattern: token)
        unsafe storage.pos[index] = position
        unsafe storage.n_seq_id[index] = 1
        unsafe storage.seq_id[index]?[0] = sequence
        unsafe storage.logits[index] = wantLogits ? 1 : 0
        unsafe storage.n_tokens += 1
        return index
    }
}
