/// A shift of one token's logit.
public struct TokenBias: Equatable, Sendable {
    public var token: UInt32
    public var bias: Float

    public init(token: UInt32, bias: Float) {
        self.token = token
        self.bias = bias
    }
}

/// What a request says of single tokens. Most say nothing, so it stands apart from what each step reads.
public final class TokenRules: Equatable, Sendable {
    /// Ids that end the answer, as an end-of-generation token does; they count as generated.
    public let stops: [UInt32]
    /// Added to the logits before everything else, each from -100 to 100.
    public let biases: [TokenBias]

    /// - Returns: nil if there is nothing to say.
    /// - Parameters:
    ///   - stops: ids outside the vocabulary are never made, and harmless.
    ///   - biases: what is beyond 100 counts as 100, and what is not a number as nothing.
    public init?(stops: [UInt32] = [], biases: [TokenBias] = []) {
        guard !stops.isEmpty || !biases.isEmpty else { return nil }
        self.stops = stops
        self.biases = biases.filter { !$0.bias.isNaN }.map { TokenBias(token: $0.token, bias: $0.bias.clamped) }
    }

    public static func == (left: TokenRules, right: TokenRules) -> Bool {
        left.stops == right.stops && left.biases == right.biases
    }
}

extension Float {
    fileprivate var clamped: Float { Swift.min(100, Swift.max(-100, self)) }
}
