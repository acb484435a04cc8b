/// What one model's tokens cost, in integer nano-dollars per token.
public struct ModelPrice: Hashable, Sendable, Codable {
    /// A prompt token that was computed.
    public var input: Int64
    /// A prompt token that came from the prefix cache.
    public var cachedInput: Int64
    /// A token of the answer.
    public var output: Int64

    /// The highest price of one token ($1). With it no request of 2³² prompt and 2³² answer tokens overflows.
    public static let maximum: Int64 = 1_000_000_000

    enum CodingKeys: String, CodingKey {
        case input
        case cachedInput = "cached_input"
        case output
    }

    public init(input: Int64, cachedInput: Int64, output: Int64) {
        self.input = input
        self.cachedInput = cachedInput
        self.output = output
    }

    /// The exact cost: `(prompt − cached) × input + cached × cachedInput + output × output price`.
    ///
    /// `cached` counts those of `prompt` that came from the prefix cache; more than `prompt` counts as all of it.
    /// Throws only for prices above `maximum`, which no `PriceList` holds.
    public func cost(prompt: UInt32, cached: UInt32, output tokens: UInt32) throws(AmountOverflow) -> Money {
        let fromCache = min(cached, prompt)
        return try Money(nanodollars: Int128(input)).times(Int128(prompt - fromCache))
            .adding(Money(nanodollars: Int128(cachedInput)).times(Int128(fromCache)))
            .adding(Money(nanodollars: Int128(output)).times(Int128(tokens)))
    }
}
