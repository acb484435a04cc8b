import Llama

extension PromptEncoder {
    /// The text of tokens, one after the other, as bytes that need not be whole characters.
    public struct Pieces: Sendable {
        public var text: [UInt8] = []
        /// Where each token's text ends.
        public var ends: [UInt32] = []

        public init() {}
    }

    /// The text of tokens. Control tokens have the vocabulary's own.
    public func pieces(of tokens: [UInt32]) throws(PromptError) -> Pieces {
        var pieces = Pieces()
        pieces.ends.reserveCapacity(tokens.count)
        for token in tokens {
            do {
                try vocabulary.bytes(of: token, renderSpecial: true, into: &pieces.text)
            } catch {
                throw .tokenOutOfRange(token, count: vocabulary.count)
            }
            pieces.ends.append(UInt32(clamping: pieces.text.count))
        }
        return pieces
    }

    /// Makes the begin of a prompt's tokens what the asker wants of it. A plain text has the model's begin-of-sequence
    /// token if the model wants one; a chat has what its template writes.
    public func withSpecialTokens(_ isWanted: Bool, _ tokens: [UInt32], of prompt: Prompt) -> [UInt32] {
        guard vocabulary.addsBeginOfSequence, let begin = vocabulary.beginOfSequence else { return tokens }
        switch prompt {
        case .text: return isWanted ? tokens : Array(tokens.dropFirst())
        case .chat, .messages: return isWanted ? [begin] + tokens : tokens
        case .tokens: return tokens
        }
    }
}
