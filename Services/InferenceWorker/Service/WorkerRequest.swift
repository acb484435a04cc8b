import Batching
import Telemetry
import Wire

/// What the worker keeps of a request besides what the scheduler does.
final class WorkerRequest {
    let requestID: RequestID
    let ingestAttempt: UInt16
    let tokenizerAttempt: UInt16
    let digest: UInt64
    let tenant: String
    let model: String
    let promptTokens: UInt32
    let wantsHops: Bool
    var stamps = HopStamps()
    var cachedTokens: UInt32 = 0
    /// Tokens made when the cancel arrived; nil without one.
    var producedAtCancel: UInt32?
    var produced: UInt32 = 0

    init(_ generate: Generate, receivedAt: UInt64) {
        requestID = generate.requestID
        ingestAttempt = generate.ingestAttempt
        tokenizerAttempt = generate.tokenizerAttempt
        // Of the tokens that were read here, not the one that came with them: that is what it is to prove.
        digest = TokenDigest.of(generate.tokens)
        tenant = generate.tenant
        model = generate.model
        promptTokens = UInt32(clamping: generate.tokens.count - Int(generate.generatedCount))
        wantsHops = generate.wantsHops
        stamps.downReceived = receivedAt
    }
}

extension EngineRequest {
    init(id: UInt64, _ generate: Generate) {
        self.init(
            id: id, tokens: generate.tokens, generatedCount: Int(generate.generatedCount),
            sampling: SamplingSettings(generate.sampling),
            limits: TokenLimits(
                maximumTokens: Int(generate.limits.maximumTokens), minimumTokens: Int(generate.limits.minimumTokens),
                ignoresEndOfGeneration: generate.limits.ignoreEndOfSequence))
    }
}

extension SamplingSettings {
    init(_ wire: SamplingParameters) {
        self.init(
            seed: wire.seed, temperature: wire.temperature, topP: wire.topP, minP: wire.minP, topK: wire.topK,
            repetitionPenalty: wire.repetitionPenalty, presencePenalty: wire.presencePenalty,
            frequencyPenalty: wire.frequencyPenalty)
    }
}

extension GenerationEnd {
    /// How a row tells it.
    var wire: (finish: FinishReason, status: Status) {
        switch self {
        case .endOfGeneration: (.stop, .ok)
        case .length: (.length, .ok)
        case .cancelled: (.cancelled, .ok)
        case .handedBack: (.handedBack, .draining)
        case .failed(let failure):
            switch failure {
            case .emptyPrompt, .unknownToken: (.failed, .invalidRequest)
            case .promptTooLong: (.failed, .promptTooLong)
            case .engine: (.failed, .engineFailed)
            }
        }
    }
}
