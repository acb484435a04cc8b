/// One completion request, checked and with defaults applied, as the door hands it to the backend.
public struct DoorRequest: Equatable, Sendable {
    /// What to continue.
    public enum Prompt: Equatable, Sendable {
        /// A conversation, for the model's chat template. Roles are `system`, `user` and `assistant`; a `developer`
        /// message counts as `system`.
        case chat([Message])
        /// A text, as it is.
        case text(String)
        /// Token ids of the model.
        case tokens([UInt32])
        /// A conversation whose messages have more than a role and a content: a JSON array of objects, for the model's
        /// chat template as they are.
        case messages(String)
    }

    /// One turn of a conversation.
    public struct Message: Equatable, Sendable {
        public var role: String
        public var content: String

        public init(role: String, content: String) {
            self.role = role
            self.content = content
        }
    }

    /// The operation's own: the door makes it, and no client can choose it.
    public var id: DoorRequestID
    /// What the client calls it (`X-Request-Id`): up to 256 bytes of printable ASCII, as often as it likes; or empty.
    public var label = ""
    /// The client's promise that another request with this key is this one again (`Idempotency-Key`): up to 255 bytes
    /// of printable ASCII, within the tenant; or empty.
    public var idempotencyKey = ""
    /// Whose API key it was; `DoorConfiguration.openTenant` on a door without keys.
    public var tenant: String
    public var model: String
    public var prompt: Prompt
    /// 1 to 16 texts, none empty, or no text.
    public var stops: [String]
    public var sampling: DoorSampling
    /// Nil: as many as fit the context.
    public var maximumTokens: UInt32?
    public var minimumTokens: UInt32
    /// Go on past end-of-generation tokens.
    public var ignoresEndOfSequence: Bool
    /// Among a tenant's requests the lower ones go first.
    public var priority: Int32 = 0
    /// How long the client waits for the whole answer; 0 for as long as it takes.
    public var timeoutNanoseconds: UInt64 = 0
    /// Ids that end the answer and are not part of it.
    public var stopTokens: [UInt32] = []
    /// What is added to tokens' logits.
    public var logitBias: [TokenBias] = []
    /// A JSON object whose members the chat template sees as variables; or empty.
    public var templateArguments = ""
    /// The last message is the begin of the answer: the template leaves it open.
    public var continuesFinalMessage = false
    /// The template does not begin the assistant's turn.
    public var omitsGenerationPrompt = false
    /// Prefixes are shared with the tenant's requests of the same salt alone.
    public var cacheSalt = ""
    /// True: the client reads events as they come; false: it reads one answer at the end.
    public var streams: Bool
    /// The answer is to carry the request's hop records.
    public var wantsHops: Bool

    public init(
        id: DoorRequestID, tenant: String, model: String, prompt: Prompt,
        stops: [String] = [], sampling: DoorSampling = DoorSampling(), maximumTokens: UInt32? = nil,
        minimumTokens: UInt32 = 0, ignoresEndOfSequence: Bool = false, streams: Bool = false, wantsHops: Bool = false
    ) {
        self.id = id
        self.tenant = tenant
        self.model = model
        self.prompt = prompt
        self.stops = stops
        self.sampling = sampling
        self.maximumTokens = maximumTokens
        self.minimumTokens = minimumTokens
        self.ignoresEndOfSequence = ignoresEndOfSequence
        self.streams = streams
        self.wantsHops = wantsHops
    }
}

/// What is added to one token's logit.
public struct TokenBias: Equatable, Sendable {
    public var token: UInt32
    /// -100 to 100.
    public var bias: Float

    public init(token: UInt32, bias: Float) {
        self.token = token
        self.bias = bias
    }
}

/// How tokens are chosen. Defaults are OpenAI's: temperature 1, everything else off.
public struct DoorSampling: Equatable, Sendable {
    /// Nil: the client did not give one, the backend chooses.
    public var seed: UInt64?
    /// 0 to 2; 0 is greedy.
    public var temperature: Float = 1
    /// Above 0, at most 1; 1 is off.
    public var topP: Float = 1
    /// 0 is off.
    public var topK: UInt32 = 0
    /// 0 to 1; 0 is off.
    public var minP: Float = 0
    /// Above 0, at most 10; 1 is off.
    public var repetitionPenalty: Float = 1
    /// -2 to 2; 0 is off.
    public var presencePenalty: Float = 0
    /// -2 to 2; 0 is off.
    public var frequencyPenalty: Float = 0

    public init() {}
}

/// 128 bits that name a request.
public struct DoorRequestID: Hashable, Sendable {
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A new one, as a UUID of version 7 (RFC 9562): those of one time stand together in the ledger's indexes.
    /// - Parameter milliseconds: Since 1970.
    public static func new(
        milliseconds: UInt64, using generator: inout some RandomNumberGenerator
    ) -> DoorRequestID {
        DoorRequestID(
            high: milliseconds << 16 | 0x7000 | generator.next() & 0x0fff, low: 1 << 63 | generator.next() >> 2)
    }
}

extension DoorRequestID: CustomStringConvertible {
    /// 32 lower-case hexadecimal digits.
    public var description: String {
        String(decoding: digits, as: UTF8.self)
    }

    /// The description's bytes.
    var digits: [UInt8] {
        var digits: [UInt8] = []
        digits.reserveCapacity(32)
        for half in [high, low] {
            for shift in stride(from: 60, through: 0, by: -4) {
                let nibble = UInt8(truncatingIfNeeded: half >> UInt64(shift)) & 0x0f
                digits.append(nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10)
            }
        }
        return digits
    }
}
