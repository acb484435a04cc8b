/// The fields of completion requests that are not done here: those that change nothing of the answer, and those that
/// would and are refused. `docs/openai-api.md` has them all, with the reasons.
enum FieldTable {
    /// A value of a field that asks for nothing: what it says is what is done anyway.
    enum Harmless {
        case none
        case no
        case zero
        case negative
        case one
        case empty
        case words([String])

        func includes(_ value: JSONValue) -> Bool {
            switch (self, value) {
            case (.no, .bool(let flag)): !flag
            case (.zero, .integer(let number)): number == 0
            case (.negative, .integer(let number)): number <= 0
            case (.one, .integer(let number)): number == 1
            case (.empty, .array(let elements)): elements.isEmpty
            case (.empty, .object(let members)): members.isEmpty
            case (.empty, .string(let text)): text.isEmpty
            case (.words(let words), .string(let word)): words.contains(word)
            default: false
            }
        }
    }

    /// Without effect on an answer of this server, whatever they say: OpenAI's, vLLM's, SGLang's, llama-server's.
    static let idle = [
        "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "metadata", "store", "service_tier",
        "parallel_tool_calls", "prediction", "verbosity", "include_reasoning", "length_penalty", "early_stopping",
        "spaces_between_special_tokens", "return_tokens_as_token_ids", "request_id", "rid", "mm_processor_kwargs",
        "guided_decoding_backend", "guided_whitespace_pattern", "separate_reasoning", "stream_reasoning",
        "reasoning_format", "cache_prompt", "id_slot", "n_keep", "n_discard", "timings_per_token", "min_keep",
        "mirostat_tau", "mirostat_eta", "dynatemp_exponent", "xtc_threshold", "dry_base", "dry_allowed_length",
        "dry_penalty_last_n", "dry_sequence_breakers", "repeat_last_n", "top_logprobs_num", "response_fields",
        "return_progress", "post_sampling_probs",
    ]

    /// Would change the answer, unless they say what is done anyway.
    static let refused: [(String, Harmless)] = [
        ("use_beam_search", .no), ("include_stop_str_in_output", .no), ("truncate_prompt_tokens", .none),
        ("prompt_logprobs", .none), ("allowed_token_ids", .empty), ("bad_words", .empty), ("logits_processors", .empty),
        ("custom_logit_processor", .empty), ("structured_outputs", .empty), ("guided_json", .empty),
        ("guided_regex", .empty), ("guided_choice", .empty), ("guided_grammar", .empty), ("structural_tag", .empty),
        ("json_schema", .empty), ("regex", .empty), ("ebnf", .empty), ("grammar", .empty), ("stop_regex", .empty),
        ("no_stop_trim", .no), ("lora_path", .empty), ("lora", .empty), ("session_params", .empty),
        ("return_hidden_states", .no), ("kv_transfer_params", .empty), ("typical_p", .one), ("mirostat", .zero),
        ("dynatemp_range", .zero), ("xtc_probability", .zero), ("dry_multiplier", .zero), ("tfs_z", .one),
        ("top_a", .zero), ("top_n_sigma", .negative), ("repeat_penalty", .one), ("n_predict", .negative),
        ("n_probs", .zero), ("t_max_predict_ms", .negative), ("samplers", .empty),
    ]

    static let refusedInChats: [(String, Harmless)] = [
        ("logprobs", .no), ("top_logprobs", .zero), ("functions", .empty), ("function_call", .words(["none", "auto"])),
        ("audio", .none), ("web_search_options", .none), ("chat_template", .empty), ("add_special_tokens", .no),
    ]

    static let refusedInCompletions: [(String, Harmless)] = [
        ("logprobs", .none), ("echo", .no), ("suffix", .empty), ("response_format", .none),
    ]
}
