/// What a run does.
public struct LoadSettings: Sendable {
    /// How requests come.
    public enum Arrival: Equatable, Sendable {
        /// So many streams, each of which sends its next request when its last one has ended.
        case closed(streams: Int)
        /// So many requests a second on average, as a Poisson process, whatever the answers do.
        case open(rate: Double)
    }

    public var arrival: Arrival
    /// Requests in all; nil: as many as the duration has room for.
    public var requests: Int?
    /// Seconds after which no request is sent any more; those under way are waited for.
    public var duration: Double?
    /// Tokens that an answer may have.
    public var maximumTokens: Int
    /// nil leaves it to the service.
    public var temperature: Double?
    /// Answers go on past their end, up to `maximumTokens`.
    public var ignoresEndOfSequence: Bool
    /// nil asks the door.
    public var model: String?
    public var wantsHops: Bool
    public var keepsText: Bool
    /// Makes arrival times, prompts of random tokens and sampling repeatable.
    public var seed: UInt64

    public init(
        arrival: Arrival = .closed(streams: 1), requests: Int? = nil, duration: Double? = nil,
        maximumTokens: Int = 64, temperature: Double? = nil, ignoresEndOfSequence: Bool = false,
        model: String? = nil, wantsHops: Bool = false, keepsText: Bool = false, seed: UInt64 = 1
    ) {
        self.arrival = arrival
        self.requests = requests
        self.duration = duration
        self.maximumTokens = maximumTokens
        self.temperature = temperature
        self.ignoresEndOfSequence = ignoresEndOfSequence
        self.model = model
        self.wantsHops = wantsHops
        self.keepsText = keepsText
        self.seed = seed
    }
}
