/// Reads the bodies of `/tokenize` and `/detokenize`, whose fields are vLLM's.
struct TokenReader: Sendable {
    /// What is asked.
    enum Form: Sendable {
        /// The tokens of a text or a conversation.
        case tokenize
        /// The text of tokens.
        case detokenize
    }

    /// A body, read.
    struct Body: Equatable, Sendable {
        /// Its tenant is still to be set; its model is empty where any that is served will do.
        var question: DoorTokenQuestion
        /// Fields that nothing was done with.
        var ignored: [String] = []
    }

    /// Tokens whose text one request may ask for, at most.
    static let maximumTokens = 1 << 17

    let form: Form
    /// Refuses a request with a field that is unknown.
    var isStrict = false

    /// What `read` returns or throws.
    func result(of bytes: [UInt8]) -> Result<Body, APIError> {
        do throws(APIError) { return .success(try read(bytes)) } catch { return .failure(error) }
    }

    func read(_ bytes: [UInt8]) throws(APIError) -> Body {
        var fields = try RequestReader.fields(of: bytes)
        var ignored: [String] = []
        let model = try fields.string("model") ?? ""
        guard model.utf8.count <= 255 else { throw .invalid("model", "model must be at most 255 bytes.") }
        var body: Body
        switch form {
        case .tokenize: body = try tokenize(&fields, model, &ignored)
        case .detokenize: body = try detokenize(&fields, model)
        }
        fields.ignoreRest(&ignored)
        if isStrict, let stranger = ignored.min() { throw RequestReader.unknown(stranger) }
        body.ignored = ignored
        return body
    }

    private func tokenize(
        _ fields: inout FieldReader, _ model: String, _ ignored: inout [String]
    ) throws(APIError) -> Body {
        // These change what a template writes, and so the tokens.
        for field in ["tools", "chat_template"] {
            try fields.refuse(field, unless: FieldTable.Harmless.empty.includes)
        }
        let isText: Bool
        var request = DoorRequest(
            id: DoorRequestID(high: 0, low: 0), tenant: "", model: model, prompt: .text(""))
        if let text = try fields.string("prompt") {
            isText = true
            request.prompt = .text(text)
        } else {
            isText = false
            request.prompt = try PromptReader.chat(&fields, ignored: &ignored)
            try RequestReader.template(&fields, &request)
        }
        let addsSpecialTokens = try fields.bool("add_special_tokens") ?? isText
        let wantsPieces = try fields.bool("return_token_strs") ?? false
        return Body(
            question: DoorTokenQuestion(request, addsSpecialTokens: addsSpecialTokens, wantsPieces: wantsPieces))
    }

    private func detokenize(_ fields: inout FieldReader, _ model: String) throws(APIError) -> Body {
        guard fields.has("tokens") else { throw fields.missing("tokens") }
        let tokens = try fields.tokens("tokens", count: Self.maximumTokens)
        let request = DoorRequest(
            id: DoorRequestID(high: 0, low: 0), tenant: "", model: model, prompt: .tokens(tokens))
        return Body(question: DoorTokenQuestion(request, addsSpecialTokens: false, wantsPieces: true))
    }
}
