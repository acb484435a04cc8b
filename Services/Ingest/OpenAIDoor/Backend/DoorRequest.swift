public import Keys

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

    public var id: DoorRequestID
    /// True: the client chose the id, and sending it twice must not do the work twice.
    public var clientChoseID: Bool
    /// Whose API key it was; `DoorConfiguration.openTenant` on a door without keys.
    public var tenant: String
    /// What the key is good for; nil on a door without keys.
    public var grant: KeyRing.Grant?
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
    /// True: the client reads events as they come; false: it reads one answer at the end.
    public var streams: Bool
    /// The answer is to carry the request's hop records.
    public var wantsHops: Bool

    public init(
        id: DoorRequestID, clientChoseID: Bool = false, tenant: String, model: String, prompt: Prompt,
        stops: [String] = [], sampling: DoorSampling = DoorSampling(), maximumTokens: UInt32? = nil,
        minimumTokens: UInt32 = 0, ignoresEndOfSequence: Bool = false, streams: Bool = false, wantsHops: Bool = false
    ) {
        self.id = id
        self.clientChoseID = clientChoseID
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

    /// Reads 32 hexadecimal digits, with or without a UUID's dashes; nil for anything else and for all zeros.
    public init?(_ text: String) {
        var digits = Array(text.utf8)
        if digits.count == 36 {
            for position in [23, 18, 13, 8] {
                guard digits[position] == UInt8(ascii: "-") else { return nil }
                digits.remove(at: position)
            }
        }
        guard digits.count == 32 else { return nil }
        var halves: [UInt64] = [0, 0]
        for (index, digit) in digits.enumerated() {
            guard let value = Character(UnicodeScalar(digit)).hexDigitValue else { return nil }
            halves[index / 16] = halves[index / 16] << 4 | UInt64(value)
        }
        guard halves != [0, 0] else { return nil }
        self.init(high: halves[0], low: halves[1])
    }
}
