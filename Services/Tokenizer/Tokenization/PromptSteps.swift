import Llama

/// One prompt on its way to tokens: first the template's text is made, then the text is tokenized piece by piece.
struct PromptSteps: PoolSteps {
    private let encoder: PromptEncoder
    private let cuts: TextCuts
    private let tokenLimit: Int
    private let now: Int64
    /// Until its text is made.
    private var prompt: Prompt?
    private var encoding: PiecewiseEncoding?
    private(set) var nextCost: Int

    init(_ prompt: Prompt, encoder: PromptEncoder, cuts: TextCuts, tokenLimit: Int, now: Int64) {
        self.encoder = encoder
        self.cuts = cuts
        self.tokenLimit = tokenLimit
        self.now = now
        self.prompt = prompt
        nextCost = Self.firstCost(of: prompt, pieceBytes: cuts.pieceBytes)
    }

    mutating func step() -> Result<[UInt32], PromptError>? {
        do throws(PromptError) {
            return try proceed().map { .success($0) }
        } catch {
            return .failure(error)
        }
    }

    private mutating func proceed() throws(PromptError) -> [UInt32]? {
        if let prompt {
            self.prompt = nil
            let (segments, before) = try encoder.segments(of: prompt, now: now)
            let begun = PiecewiseEncoding(segments, vocabulary: encoder.vocabulary, cuts: cuts, after: before)
            try check(begun)
            encoding = begun
            // What takes no longer than a piece is done with it.
            if begun.remainingBytes > cuts.pieceBytes { return pause(begun) }
        }
        let byteCount = encoding?.nextBytes ?? 0
        do {
            try encoding?.step()
        } catch {
            throw .cannotTokenize(byteCount: byteCount)
        }
        guard let encoding else { throw .empty }
        try check(encoding)
        guard encoding.isComplete else { return pause(encoding) }
        guard !encoding.tokens.isEmpty else { throw .empty }
        return encoding.tokens
    }

    private mutating func pause(_ encoding: PiecewiseEncoding) -> [UInt32]? {
        nextCost = encoding.nextBytes
        return nil
    }

    /// Ends a prompt that has too many tokens already, or that will have them for certain.
    private func check(_ encoding: PiecewiseEncoding) throws(PromptError) {
        var fewest = encoding.tokens.count
        if encoder.longestToken > 0 { fewest += encoding.remainingBytes / encoder.longestToken }
        if fewest >= tokenLimit { throw .tooManyTokens(atLeast: fewest) }
    }

    /// What it takes to make the text, and the tokens of one that is no longer than a piece.
    private static func firstCost(of prompt: Prompt, pieceBytes: Int) -> Int {
        let bytes = prompt.byteCount
        let tokens = bytes <= pieceBytes ? bytes : 0
        return switch prompt {
        case .chat(let messages, _): tokens + bytes / 16 + Prompt.messageCost * messages.count
        case .messages: tokens + bytes * 2
        case .text: tokens + bytes / 64
        case .tokens: prompt.cost
        }
    }
}
