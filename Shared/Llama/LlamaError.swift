/// What can go wrong with a model or its vocabulary.
public enum LlamaError: Error, Equatable, Sendable {
    /// The model file could not be loaded; `reason` is what libllama logged as errors.
    case cannotLoad(path: String, reason: String)
    /// A context could not be made, usually for want of memory; `reason` is what libllama logged as errors.
    case cannotCreateContext(reason: String)
    /// A text of `byteCount` bytes could not be tokenized: it is longer than 2³¹ bytes, or libllama gave up on it.
    case cannotTokenize(byteCount: Int)
    /// A token id that the vocabulary does not have.
    case unknownToken(UInt32)
    /// The file has no tokenizer that can be exported; `reason` says what is missing or unknown.
    case cannotExportTokenizer(reason: String)
}

/// Why a batch was not decoded. The codes are those of `llama_decode`.
public enum DecodeError: Error, Equatable, Sendable {
    /// The KV cache has no room for the batch. Nothing was changed: free sequences, or send a smaller batch.
    case noKVSlot
    /// The abort flag was raised. Micro-batches that were finished stay in the KV cache.
    case aborted
    /// The batch is empty, or names a token, sequence or position that the context does not accept. Nothing was changed.
    case invalidBatch
    /// The computation failed with this code. Micro-batches that were finished stay in the KV cache.
    case failed(code: Int32)
}

/// Why a chat template gave no prompt.
public enum ChatTemplateError: Error, Equatable, Sendable {
    /// The model's template is not one that the engine can compile.
    case invalid(reason: String)
    /// The template refuses these messages (`raise_exception`), in its own words: the sender's mistake.
    case refused(reason: String)
    /// The template failed while it ran.
    case failed(reason: String)
}
