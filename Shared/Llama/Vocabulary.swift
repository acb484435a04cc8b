import CLlama

/// A model's tokenizer. Values of it share the model, and any number of threads can use it at once.
public struct Vocabulary: Sendable {
    /// Ids run from 0 to one less.
    public let count: Int
    public let beginOfSequence: UInt32?
    public let endOfSequence: UInt32?
    /// Whether the model wants its begin-of-sequence token before a plain prompt.
    public let addsBeginOfSequence: Bool
    /// Tokens that end an answer, in ascending order.
    public let endOfGenerationTokens: [UInt32]

    /// Whether every byte of a text stands in one of its tokens: no token takes white space around it with it, and the
    /// tokenizer leaves nothing out. A text then has at least as many tokens as its bytes hold the longest token's.
    public let countsEveryByte: Bool

    let markup: MarkupTokens
    /// The file's name for the way of tokenizing (`tokenizer.ggml.model`), or nothing.
    let kind: String
    private let model: ModelHandle
    private let vocabulary: VocabularyPointer
    private let flags: [Flags]

    private struct Flags: OptionSet {
        let rawValue: UInt8
        static let control = Flags(rawValue: 1)
        static let endOfGeneration = Flags(rawValue: 2)
    }

    // The vocabulary is a part of the model, which lives as long as `model`, and is only read.
    @safe
    private struct VocabularyPointer: @unchecked Sendable {
        let pointer: OpaquePointer
    }

    init(model: ModelHandle, vocabulary: OpaquePointer) {
        self.model = model
        self.vocabulary = unsafe VocabularyPointer(pointer: vocabulary)
        count = Int(unsafe llama_vocab_n_tokens(vocabulary))
        // A file may name ids that it does not have.
        let known = UInt32(0)..<UInt32(count)
        beginOfSequence = UInt32(exactly: unsafe llama_vocab_bos(vocabulary)).flatMap { known ~= $0 ? $0 : nil }
        endOfSequence = UInt32(exactly: unsafe llama_vocab_eos(vocabulary)).flatMap { known ~= $0 ? $0 : nil }
        addsBeginOfSequence = unsafe llama_vocab_get_add_bos(vocabulary)

        kind = model.metadata("tokenizer.ggml.model") ?? ""
        let type = unsafe llama_vocab_type(vocabulary)
        var strips = false

        var flags: [Flags] = []
        flags.reserveCapacity(count)
        var endOfGenerationTokens: [UInt32] = []
        var markup = MarkupTokens()
        for id in known {
            let token = llama_token(bitPattern: id)
            var flag: Flags = []
            if unsafe llama_vocab_is_eog(vocabulary, token) {
                flag.insert(.endOfGeneration)
                endOfGenerationTokens.append(id)
            }
            let attributes = unsafe llama_vocab_get_attr(vocabulary, token).rawValue
            let isControl = attributes & LLAMA_TOKEN_ATTR_CONTROL.rawValue != 0
            if isControl { flag.insert(.control) }
            if attributes & (LLAMA_TOKEN_ATTR_LSTRIP.rawValue | LLAMA_TOKEN_ATTR_RSTRIP.rawValue) != 0 { strips = true }
            if isControl || attributes & LLAMA_TOKEN_ATTR_USER_DEFINED.rawValue != 0,
                let text = unsafe llama_vocab_get_text(vocabulary, token)
            {
                markup.insert(
                    .init(
                        id: id, text: unsafe Array(String(cString: text).utf8), isControl: isControl,
                        stripsLeft: attributes & LLAMA_TOKEN_ATTR_LSTRIP.rawValue != 0,
                        stripsRight: attributes & LLAMA_TOKEN_ATTR_RSTRIP.rawValue != 0))
            }
            flags.append(flag)
        }
        countsEveryByte = !strips && (type == LLAMA_VOCAB_TYPE_BPE || type == LLAMA_VOCAB_TYPE_SPM)
        self.flags = flags
        self.endOfGenerationTokens = endOfGenerationTokens
        self.markup = markup
    }

    /// Whether this token ends an answer. False for ids that do not exist.
    public func isEndOfGeneration(_ token: UInt32) -> Bool {
        token < flags.count && flags[Int(token)].contains(.endOfGeneration)
    }

    /// Whether this token stands for structure and not for text. False for ids that do not exist.
    public func isControl(_ token: UInt32) -> Bool {
        token < flags.count && flags[Int(token)].contains(.control)
    }

    /// Appends the tokens of `utf8` to `tokens`. In text that is not UTF-8, what is wrong counts as U+FFFD.
    ///
    /// - Parameters:
    ///   - parseSpecial: recognises control tokens' texts. Only for text that its author may put them into.
    ///   - addSpecial: adds the begin and end tokens that the model is configured for.
    public func tokenize(
        _ utf8: Span<UInt8>, parseSpecial: Bool, addSpecial: Bool, into tokens: inout [UInt32]
    ) throws(LlamaError) {
        if append(utf8, parseSpecial: parseSpecial, addSpecial: addSpecial, to: &tokens) { return }
        // libllama repairs most of what is not UTF-8, but gives up on some of it.
        let bytes = unsafe utf8.withUnsafeBufferPointer { unsafe Array($0) }
        let repaired = Array(String(decoding: bytes, as: UTF8.self).utf8)
        if bytes != repaired,
            append(repaired.span, parseSpecial: parseSpecial, addSpecial: addSpecial, to: &tokens)
        {
            return
        }
        throw .cannotTokenize(byteCount: utf8.count)
    }

    /// False if libllama gave up, and then `tokens` is as it was.
    private func append(
        _ utf8: Span<UInt8>, parseSpecial: Bool, addSpecial: Bool, to tokens: inout [UInt32]
    ) -> Bool {
        // A token has at least one byte of text, except for a few that are added.
        var room = utf8.count + 8
        guard Int32(exactly: room) != nil else { return false }
        let start = tokens.count
        while true {
            tokens.append(contentsOf: repeatElement(0, count: room))
            let written = unsafe tokens.withUnsafeMutableBufferPointer { buffer in
                unsafe UnsafeMutableBufferPointer(rebasing: buffer[start...])
                    .withMemoryRebound(to: llama_token.self) { ids in
                        unsafe utf8.withUnsafeBytes { bytes in
                            unsafe bytes.withMemoryRebound(to: CChar.self) { text in
                                unsafe tf_tokenize(
                                    vocabulary.pointer, text.baseAddress, Int32(text.count), ids.baseAddress,
                                    Int32(room), addSpecial, parseSpecial)
                            }
                        }
                    }
            }
            tokens.removeSubrange((start + max(0, Int(written)))...)
            if written >= 0 { return true }
            // Otherwise it is the room that is needed, negated, or one of two codes that are as low as can be.
            guard written > Int32.min + 1, -Int(written) > room else { return false }
            room = -Int(written)
        }
    }

    /// Appends the bytes of a token, which need not be whole characters.
    ///
    /// - Parameter renderSpecial: whether control tokens have a text, or none.
    public func bytes(of token: UInt32, renderSpecial: Bool, into bytes: inout [UInt8]) throws(LlamaError) {
        guard token < count else { throw .unknownToken(token) }
        appendBytes(of: token, renderSpecial: renderSpecial, to: &bytes)
    }

    /// The text of one of the vocabulary's own tokens as templates use it; empty for nil.
    func text(of token: UInt32?) -> [UInt8] {
        var text: [UInt8] = []
        if let token { appendBytes(of: token, renderSpecial: true, to: &text) }
        return text
    }

    private func appendBytes(of token: UInt32, renderSpecial: Bool, to bytes: inout [UInt8]) {
        let id = llama_token(bitPattern: token)
        var room = 64
        while true {
            let written = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: room) { buffer in
                let written = unsafe llama_token_to_piece(
                    vocabulary.pointer, id, buffer.baseAddress, Int32(room), 0, renderSpecial)
                if written > 0 {
                    unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(buffer).prefix(Int(written)))
                }
                return written
            }
            if written >= 0 { return }
            room = -Int(written)
        }
    }
}
