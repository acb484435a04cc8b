import CLlama

/// A GGUF file's tokenizer in Hugging Face's form, for tools that read `tokenizer.json` and `tokenizer_config.json`.
///
/// Only byte-level BPE vocabularies can be exported. A GGUF file names its pre-tokenizer and does not define it, so that
/// only the names in ``preTokenizer(_:)`` are known.
public struct TokenizerExport: Sendable {
    /// The content of `tokenizer.json`.
    public let tokenizer: String
    /// The content of `tokenizer_config.json`, with the chat template.
    public let configuration: String

    public init(modelPath: String) throws(LlamaError) {
        let file = try GGUFMetadata(path: modelPath)
        guard file.string("tokenizer.ggml.model") == "gpt2" else {
            throw .cannotExportTokenizer(
                reason: "it is of kind '\(file.string("tokenizer.ggml.model") ?? "none")', not byte-level BPE")
        }
        guard let tokens = file.strings("tokenizer.ggml.tokens"),
            let types = file.integers("tokenizer.ggml.token_type"),
            let merges = file.strings("tokenizer.ggml.merges"), types.count == tokens.count
        else { throw .cannotExportTokenizer(reason: "the file lacks tokens, their types, or merges") }
        let name = file.string("tokenizer.ggml.pre") ?? "none"
        guard let preTokenizer = Self.preTokenizer(name) else {
            throw .cannotExportTokenizer(reason: "the pre-tokenizer '\(name)' is not known")
        }

        let added = zip(tokens, types).enumerated().compactMap { id, token -> JSON? in
            let isControl = token.1 == Int32(LLAMA_TOKEN_TYPE_CONTROL.rawValue)
            guard isControl || token.1 == Int32(LLAMA_TOKEN_TYPE_USER_DEFINED.rawValue) else { return nil }
            return .object([
                ("id", .integer(id)), ("content", .string(token.0)), ("single_word", false), ("lstrip", false),
                ("rstrip", false), ("normalized", false), ("special", .boolean(isControl)),
            ])
        }
        tokenizer =
            JSON.object([
                ("version", "1.0"), ("truncation", .null), ("padding", .null), ("added_tokens", .array(added)),
                ("normalizer", .null), ("pre_tokenizer", preTokenizer), ("post_processor", .null),
                ("decoder", Self.byteLevel(usesRegex: true)),
                (
                    "model",
                    .object([
                        ("type", "BPE"), ("dropout", .null), ("unk_token", .null), ("continuing_subword_prefix", .null),
                        ("end_of_word_suffix", .null), ("fuse_unk", false), ("byte_fallback", false),
                        ("ignore_merges", .boolean(Self.ignoresMerges(name))),
                        ("vocab", .object(tokens.enumerated().map { ($1, .integer($0)) })),
                        ("merges", .array(merges.map { .string($0) })),
                    ])
                ),
            ]).text

        func token(_ key: String) -> JSON {
            guard let id = file.unsigned("tokenizer.ggml.\(key)_token_id"), id < tokens.count else { return .null }
            return .string(tokens[Int(id)])
        }
        let architecture = file.string("general.architecture") ?? ""
        configuration =
            JSON.object([
                ("tokenizer_class", "PreTrainedTokenizerFast"),
                ("bos_token", token("bos")), ("eos_token", token("eos")), ("unk_token", token("unknown")),
                ("pad_token", token("padding")),
                ("add_bos_token", .boolean(file.boolean("tokenizer.ggml.add_bos_token") ?? false)),
                ("add_prefix_space", false), ("clean_up_tokenization_spaces", false),
                (
                    "model_max_length",
                    file.unsigned("\(architecture).context_length").map { .integer(Int($0)) } ?? .null
                ),
                ("chat_template", file.string("tokenizer.chat_template").map { .string($0) } ?? .null),
            ]).text
    }

    private static func byteLevel(usesRegex: Bool) -> JSON {
        .object([
            ("type", "ByteLevel"), ("add_prefix_space", false), ("trim_offsets", true),
            ("use_regex", .boolean(usesRegex)),
        ])
    }

    /// The definitions belong to the models' own `tokenizer.json`.
    private static func preTokenizer(_ name: String) -> JSON? {
        switch name {
        case "gpt-2":
            return byteLevel(usesRegex: true)
        case "smollm":
            let digits = JSON.object([("type", "Digits"), ("individual_digits", true)])
            return sequence(digits, byteLevel(usesRegex: true))
        case "llama-bpe", "llama3", "llama-v3":
            return splitting(digits: #"\p{N}{1,3}"#)
        case "qwen2":
            return splitting(digits: #"\p{N}"#)
        default:
            return nil
        }
    }

    private static func splitting(digits: String) -> JSON {
        let pattern =
            #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits
            + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
        let split = JSON.object([
            ("type", "Split"), ("pattern", .object([("Regex", .string(pattern))])), ("behavior", "Isolated"),
            ("invert", false),
        ])
        return sequence(split, byteLevel(usesRegex: false))
    }

    private static func sequence(_ steps: JSON...) -> JSON {
        .object([("type", "Sequence"), ("pretokenizers", .array(steps))])
    }

    /// Llama 3's tokenizer takes a word that is a token whole, whatever its merges say.
    private static func ignoresMerges(_ name: String) -> Bool {
        ["llama-bpe", "llama3", "llama-v3"].contains(name)
    }
}
