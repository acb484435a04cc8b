import CLlama

/// A model in memory: weights (unless only the vocabulary was asked for), vocabulary, metadata.
///
/// Immutable, so any number of threads and contexts can share it.
public final class LlamaModel: Sendable {
    /// The file that it came from.
    public let path: String
    /// The model's own name (`general.name`), or the file's if it has none.
    public let name: String
    /// libllama's summary, for instance `llama 135M Q8_0`.
    public let description: String
    /// The context, in tokens, that the model was trained for; 0 if the file does not say.
    public let trainedContextLength: Int
    /// The model's chat template (Jinja), or nil: then it takes plain prompts only.
    public let chatTemplateSource: String?
    /// All tensors, in bytes; 0 if only the vocabulary was loaded.
    public let sizeBytes: UInt64
    /// 0 if only the vocabulary was loaded.
    public let parameterCount: UInt64
    /// One token's keys and values in the KV cache (16-bit), in bytes; 0 if only the vocabulary was loaded.
    public let kvCacheBytesPerToken: Int
    public let vocabulary: Vocabulary

    let handle: ModelHandle

    /// Loads a GGUF file. Blocks for as long as that takes.
    ///
    /// - Parameters:
    ///   - vocabularyOnly: loads no weights: enough to tokenize, in a fraction of the time and memory.
    ///   - gpuLayers: how many layers an accelerator gets; negative for all. Without one it changes nothing.
    ///   - backendDirectory: see ``LlamaBackend/start(directory:log:)``.
    public init(
        path: String, vocabularyOnly: Bool = false, gpuLayers: Int32 = -1, backendDirectory: String? = nil
    ) throws(LlamaError) {
        LlamaBackend.start(directory: backendDirectory)
        var parameters = unsafe llama_model_default_params()
        unsafe parameters.vocab_only = vocabularyOnly
        unsafe parameters.n_gpu_layers = gpuLayers
        let (pointer, reason) = unsafe LlamaBackend.collectingErrors {
            unsafe llama_model_load_from_file(path, parameters)
        }
        guard let model = unsafe pointer, let vocabulary = unsafe llama_model_get_vocab(model) else {
            throw .cannotLoad(path: path, reason: reason)
        }

        self.path = path
        handle = unsafe ModelHandle(model)
        self.vocabulary = unsafe Vocabulary(model: handle, vocabulary: vocabulary)
        name =
            handle.metadata("general.name")
            ?? String(path.split(separator: "/").last ?? Substring(path))
        description = unsafe handle.string { unsafe llama_model_desc(model, $0, $1) } ?? ""
        // The metadata knows the length even when `vocab_only` leaves the loaded value at 0.
        let architecture = handle.metadata("general.architecture") ?? ""
        trainedContextLength =
            handle.metadata("\(architecture).context_length").flatMap { Int($0) }
            ?? Int(unsafe llama_model_n_ctx_train(model))
        chatTemplateSource = unsafe llama_model_chat_template(model, nil).map { unsafe String(cString: $0) }
        sizeBytes = vocabularyOnly ? 0 : unsafe llama_model_size(model)
        parameterCount = vocabularyOnly ? 0 : unsafe llama_model_n_params(model)
        if vocabularyOnly {
            kvCacheBytesPerToken = 0
        } else {
            let heads = max(1, Int(unsafe llama_model_n_head(model)))
            let width = Int(unsafe llama_model_n_embd(model)) / heads * Int(unsafe llama_model_n_head_kv(model))
            kvCacheBytesPerToken = 2 * Int(unsafe llama_model_n_layer(model)) * width * MemoryLayout<UInt16>.size
        }
    }

    /// A scalar of the file's metadata as text, for instance `general.architecture`.
    public func metadata(_ key: String) -> String? {
        handle.metadata(key)
    }
}

/// Owns libllama's model; everything that points into it holds on to this.
// A loaded model is only read, which libllama allows on any thread.
@safe
final class ModelHandle: @unchecked Sendable {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) {
        unsafe self.pointer = unsafe pointer
    }

    deinit {
        unsafe llama_model_free(pointer)
    }

    func metadata(_ key: String) -> String? {
        unsafe string { [pointer] buffer, size in unsafe llama_model_meta_val_str(pointer, key, buffer, size) }
    }

    /// Calls a function that fills a buffer and returns the text's whole length (negative: there is none).
    @unsafe
    func string(_ fill: (UnsafeMutablePointer<CChar>?, Int) -> Int32) -> String? {
        var size = 256
        while true {
            var length: Int32 = -1
            let text = unsafe String(unsafeUninitializedCapacity: size) { buffer in
                unsafe buffer.withMemoryRebound(to: CChar.self) { characters in
                    length = unsafe fill(characters.baseAddress, characters.count)
                }
                return max(0, min(Int(length), size - 1))
            }
            if length < 0 { return nil }
            if Int(length) < size { return text }
            size = Int(length) + 1
        }
    }
}
