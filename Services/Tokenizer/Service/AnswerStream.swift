import Telemetry
import Tokenization
import Wire

/// One request in the tokenizer, from its `Encode` until both sides have let go of it.
final class AnswerStream {
    enum State: Sendable {
        /// In the pool; the ticket takes it back.
        case encoding(EncodePool.Ticket?)
        /// Waiting for a worker, or held by one.
        case generating
        /// Ingest has its last row, or is gone: only the worker's lease is still to end.
        case answered
    }

    /// The key under which the line above knows it.
    let upperWork: UInt64
    let requestID: RequestID
    let ingestAttempt: UInt16
    let tenant: String
    let model: String
    let sampling: SamplingParameters
    var limits: GenerationLimits
    let stops: [String]
    let wantsHops: Bool
    let deliveredBytes: UInt64

    var state: State
    var prompt: [UInt32] = []
    /// All ids of the answer, those of lost attempts included.
    var generated: [UInt32]
    var answer: AnswerAssembler
    var attempt: UInt16 = 0
    /// Of `generated`, how many came in this attempt.
    var receivedInAttempt: UInt32 = 0
    var digest: UInt64 = 0
    var hasFirstRow = false
    var cachedTokens: UInt32 = 0
    var isCancelled = false
    var stamps = HopStamps()

    init(_ encode: Encode, upperWork: UInt64, model: String, receivedAt: UInt64) {
        self.upperWork = upperWork
        requestID = encode.requestID
        ingestAttempt = encode.ingestAttempt
        tenant = encode.tenant
        self.model = model
        sampling = encode.body.sampling
        limits = encode.body.limits
        stops = encode.body.stops
        wantsHops = encode.body.wantsHops
        deliveredBytes = encode.deliveredBytes
        generated = encode.generated
        state = .encoding(nil)
        answer = AnswerAssembler(stops: encode.body.stops, minimumTokens: Int(encode.body.limits.minimumTokens))
        stamps.downReceived = receivedAt
    }

    var isAnswered: Bool { if case .answered = state { true } else { false } }

    /// Tokens that are still to be made.
    var remaining: Int { Int(limits.maximumTokens) - generated.count }

    /// A hash of the prompt's beginning, for prompts long enough that a cached prefix is worth a detour.
    var affinity: UInt64? {
        guard prompt.count >= Self.affinityTokens else { return nil }
        var digest = TokenDigest()
        for token in prompt.prefix(Self.affinityTokens) { digest.add(token) }
        return digest.value
    }

    private static let affinityTokens = 256
}
