/// What a run does.
public struct LoadSettings: Sendable {
    /// How requests come.
    public enum Arrival: Equatable, Sendable {
        /// So many streams, each of which sends its next request when its last one has ended.
        case closed(streams: Int)
        /// When they are due, whatever the answers do.
        case open(ArrivalPattern)

        /// So many requests a second on average, as a Poisson process.
        public static func open(rate: Double) -> Arrival { .open(.poisson(rate: rate)) }
    }

    public var arrival: Arrival
    /// Requests in all; nil: as many as the duration has room for.
    public var requests: Int?
    /// Seconds after which no request is sent any more; those under way are waited for.
    public var duration: Double?
    /// Tokens that an answer may have, unless `answerTokens` says otherwise.
    public var maximumTokens: Int
    /// Tokens that each answer may have; nil: `maximumTokens`.
    public var answerTokens: LengthDistribution?
    /// nil leaves it to the service.
    public var temperature: Double?
    /// Answers go on past their end, up to their limit.
    public var ignoresEndOfSequence: Bool
    /// nil asks the door.
    public var model: String?
    public var wantsHops: Bool
    public var keepsText: Bool
    /// Makes arrival times, prompts of random tokens and sampling repeatable.
    public var seed: UInt64
    /// Share of requests, 0 to 1, that are cancelled at a random token of their answer.
    public var cancelRate = 0.0
    /// Each request brings an idempotency key of its own.
    public var hasKeys = false
    /// What a good answer must meet.
    public var objectives = ServiceObjectives()
    /// What the answers to requests 0, 1, … and so on over again must meet instead, where they say so; empty: all are
    /// held to `objectives`.
    public var requestObjectives: [ServiceObjectives] = []
    /// How many accelerators the service has; nil: nobody said so, and no figure is for each of them.
    public var accelerators: Int?
    /// Times and rates are those of the steady state only: after so many seconds, while all streams were active. nil:
    /// of the whole run.
    public var warmup: Double?

    /// What the answer to a request must meet.
    func objectives(of index: Int) -> ServiceObjectives {
        requestObjectives.isEmpty
            ? objectives : requestObjectives[index % requestObjectives.count].filled(from: objectives)
    }

    /// Whether there is goodput.
    public var hasObjectives: Bool { !objectives.isEmpty || !requestObjectives.isEmpty }

    /// The objectives in words.
    var goodputText: String {
        [objectives.description, requestObjectives.isEmpty ? "" : "the trace's own"].filter { !$0.isEmpty }
            .joined(separator: ", ")
    }

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
