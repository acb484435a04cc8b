public import Tokenization

/// What a tokenizer asks of the threads that encode.
public enum TokenizerCommand: Sendable {
    /// Encode a request's prompt, at once where that costs no more than `affordable`; the answer is `encoded`, or
    /// `encodingIsFull`.
    case encode(key: UInt64, Prompt, EncodeShare, tokenLimit: Int, affordable: Int)
    /// Take up a long answer that another tokenizer began; the answer is `resumed`, or `encodingIsFull`.
    case resume(key: UInt64, AnswerResumption, byteCount: Int, EncodeShare)
    /// Nobody waits for this request's prompt any more.
    case takeBack(key: UInt64)
    /// Encode a text, and look its pieces up where they are asked for; the answer is `answered`.
    case tokenize(TokenQuestion, Prompt, EncodeShare)
}

/// Who has asked which tokens a text has.
public struct TokenQuestion: Sendable {
    var number: UInt64
    var link: UInt32
    var session: UInt32
    public internal(set) var wantsPieces: Bool
    public internal(set) var addsSpecialTokens: Bool
    /// On the monotonic clock; `UInt64.max` for never.
    var deadline: UInt64
}

/// What became of a question about tokens.
public enum TokenAnswer: Sendable {
    case tokens([UInt32], PromptEncoder.Pieces)
    case failure(PromptError)
    /// Too many wait.
    case full
}
