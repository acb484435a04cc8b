/// What a worker may say in a row, from what it was asked.
public struct RowBounds: Equatable, Sendable {
    /// Ids are below this.
    public var vocabularySize: Int
    /// Tokens that the worker was given: of the prompt, and of the answer so far.
    public var given: Int
    /// Tokens that the answer may still get.
    public var remaining: Int

    public init(vocabularySize: Int, given: Int, remaining: Int) {
        self.vocabularySize = vocabularySize
        self.given = given
        self.remaining = remaining
    }

    /// Whether a row keeps to them.
    /// - Parameter cachedTokens: of those that were given, how many the worker says it did not compute.
    public func admit(_ tokens: Span<UInt32>, cachedTokens: UInt32) -> Bool {
        guard tokens.count <= remaining, Int(cachedTokens) <= given else { return false }
        for index in tokens.indices where tokens[index] >= vocabularySize { return false }
        return true
    }
}
