import CLlama

/// A model at work: the KV cache and the buffers of a step.
///
/// It can move between threads but is used by one at a time, which exclusive access (`mutating`) sees to.
// libllama binds a context to no thread; all that it does to one needs exclusive access here.
@safe
public struct LlamaContext: ~Copyable, @unchecked Sendable {
    public enum FlashAttention: Sendable {
        case automatic, on, off
    }

    public struct Options: Sendable {
        /// Tokens in the KV cache, which all sequences share; 0 for what the model was trained for.
        public var contextLength: Int
        /// The most tokens in a batch.
        public var batchTokens: Int
        /// The most tokens that the accelerator computes at once.
        public var microBatchTokens: Int
        public var maximumSequences: Int
        /// Threads for batches of one token.
        public var threads: Int
        /// Threads for all other batches.
        public var batchThreads: Int
        public var flashAttention: FlashAttention
        /// Whether the KV cache lies on the accelerator.
        public var offloadsKVCache: Bool
        /// Lets another thread end a step; works for computations on the CPU only.
        public var abortFlag: LlamaAbortFlag?

        public init(
            contextLength: Int, batchTokens: Int = 2048, microBatchTokens: Int = 512, maximumSequences: Int = 1,
            threads: Int, batchThreads: Int? = nil, flashAttention: FlashAttention = .automatic,
            offloadsKVCache: Bool = true, abortFlag: LlamaAbortFlag? = nil
        ) {
            self.contextLength = contextLength
            self.batchTokens = batchTokens
            self.microBatchTokens = microBatchTokens
            self.maximumSequences = maximumSequences
            self.threads = threads
            self.batchThreads = batchThreads ?? threads
            self.flashAttention = flashAttention
            self.offloadsKVCache = offloadsKVCache
            self.abortFlag = abortFlag
        }
    }

    /// Tokens in the KV cache, which all sequences share. libllama may round up what was asked for.
    public let contextLength: Int
    /// The most tokens in a batch.
    public let batchTokens: Int
    /// Sequences are numbered from 0 to one less.
    public let maximumSequences: Int
    /// The length of a row of logits.
    public let vocabularyCount: Int
    public let model: LlamaModel

    private let pointer: OpaquePointer
    private let memory: OpaquePointer
    private let abortFlag: LlamaAbortFlag?

    public init(model: LlamaModel, options: Options) throws(LlamaError) {
        var parameters = unsafe llama_context_default_params()
        unsafe parameters.n_ctx = UInt32(options.contextLength)
        unsafe parameters.n_batch = UInt32(options.batchTokens)
        unsafe parameters.n_ubatch = UInt32(options.microBatchTokens)
        unsafe parameters.n_seq_max = UInt32(options.maximumSequences)
        unsafe parameters.n_threads = Int32(options.threads)
        unsafe parameters.n_threads_batch = Int32(options.batchThreads)
        unsafe parameters.offload_kqv = options.offloadsKVCache
        // A split cache divides the context by the sequences, and cannot share a prefix between them.
        unsafe parameters.kv_unified = true
        unsafe parameters.no_perf = true
        unsafe parameters.flash_attn_type =
            switch options.flashAttention {
            case .automatic: LLAMA_FLASH_ATTN_TYPE_AUTO
            case .on: LLAMA_FLASH_ATTN_TYPE_ENABLED
            case .off: LLAMA_FLASH_ATTN_TYPE_DISABLED
            }
        if let flag = options.abortFlag {
            unsafe parameters.abort_callback = isAbortRaised
            unsafe parameters.abort_callback_data = unsafe Unmanaged.passUnretained(flag).toOpaque()
        }

        let (created, reason) = unsafe LlamaBackend.collectingErrors {
            unsafe llama_init_from_model(model.handle.pointer, parameters)
        }
        guard let context = unsafe created else { throw .cannotCreateContext(reason: reason) }
        guard let memory = unsafe llama_get_memory(context) else {
            unsafe llama_free(context)
            throw .cannotCreateContext(reason: "the model keeps no state between steps")
        }
        unsafe pointer = unsafe context
        unsafe self.memory = unsafe memory
        self.model = model
        abortFlag = options.abortFlag
        contextLength = Int(unsafe llama_n_ctx(context))
        batchTokens = Int(unsafe llama_n_batch(context))
        maximumSequences = Int(unsafe llama_n_seq_max(context))
        vocabularyCount = model.vocabulary.count
    }

    deinit {
        unsafe llama_free(pointer)
    }

    /// Computes a step. Blocks until it is done.
    public mutating func decode(_ batch: borrowing LlamaBatch) throws(DecodeError) {
        switch unsafe llama_decode(pointer, batch.storage) {
        case 0: return
        case 1: throw .noKVSlot
        case 2: throw .aborted
        case -1: throw .invalidBatch
        case let code: throw .failed(code: code)
        }
    }

    /// Gives `body` the logits after the batch's token `index`, one for each token of the vocabulary, in place; nil if
    /// the last step computed none there.
    public mutating func withLogits<R, E: Error>(_ index: Int, _ body: (Span<Float>) throws(E) -> R) throws(E) -> R? {
        guard let index = Int32(exactly: index), index >= 0,
            let row = unsafe llama_get_logits_ith(pointer, index)
        else { return nil }
        let buffer = unsafe UnsafeBufferPointer(start: row, count: vocabularyCount)
        return try body(unsafe buffer.span)
    }

    /// Forgets a sequence's tokens at these positions (nil: from the beginning, to the end).
    ///
    /// - Returns: false if this kind of model cannot forget a part of a sequence; then nothing was changed.
    @discardableResult
    public mutating func removeSequence(_ sequence: Int32, from start: Int32? = nil, to end: Int32? = nil) -> Bool {
        checkSequence(sequence)
        return unsafe llama_memory_seq_rm(memory, sequence, start ?? -1, end ?? -1)
    }

    /// Makes the source's tokens at these positions part of the destination too; the cells are shared, not copied.
    public mutating func copySequence(from source: Int32, to destination: Int32, positions: Range<Int32>) {
        checkSequence(source)
        checkSequence(destination)
        unsafe llama_memory_seq_cp(memory, source, destination, positions.lowerBound, positions.upperBound)
    }

    /// The last position that the cache holds for a sequence; nil if it holds none.
    public mutating func lastPosition(of sequence: Int32) -> Int32? {
        checkSequence(sequence)
        let position = unsafe llama_memory_seq_pos_max(memory, sequence)
        return position < 0 ? nil : position
    }

    /// Forgets all sequences.
    public mutating func clear() {
        unsafe llama_memory_clear(memory, false)
    }

    private func checkSequence(_ sequence: Int32) {
        precondition(sequence >= 0 && sequence < maximumSequences, "no sequence \(sequence)")
    }
}

private func isAbortRaised(_ context: UnsafeMutableRawPointer?) -> Bool {
    guard let context = unsafe context else { return false }
    return unsafe Unmanaged<LlamaAbortFlag>.fromOpaque(context).takeUnretainedValue().isRaised
}
