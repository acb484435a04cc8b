import CodecMessages
import SwiftProtobuf
import Wire

/// The samples in protobuf's types.
enum ProtobufMessages {
    typealias Sampling = Tokenfactory_Benchmarks_Sampling
    typealias Limits = Tokenfactory_Benchmarks_Limits

    static func varint(_ source: Generate) -> Tokenfactory_Benchmarks_GenerateVarint {
        .with {
            $0.session = Samples.session
            $0.sentAt = Samples.sentAt
            $0.handle = source.handle
            $0.requestIDHigh = source.requestID.high
            $0.requestIDLow = source.requestID.low
            $0.ingestAttempt = UInt32(source.ingestAttempt)
            $0.tokenizerAttempt = UInt32(source.tokenizerAttempt)
            $0.digest = source.digest
            $0.generatedCount = source.generatedCount
            $0.sampling = sampling(source.sampling)
            $0.limits = limits(source.limits)
            $0.wantsHops = source.wantsHops
            $0.tenant = source.tenant
            $0.model = source.model
            $0.tokens = source.tokens
        }
    }

    static func fixed(_ source: Generate) -> Tokenfactory_Benchmarks_GenerateFixed {
        .with {
            $0.session = Samples.session
            $0.sentAt = Samples.sentAt
            $0.handle = source.handle
            $0.requestIDHigh = source.requestID.high
            $0.requestIDLow = source.requestID.low
            $0.ingestAttempt = UInt32(source.ingestAttempt)
            $0.tokenizerAttempt = UInt32(source.tokenizerAttempt)
            $0.digest = source.digest
            $0.generatedCount = source.generatedCount
            $0.sampling = sampling(source.sampling)
            $0.limits = limits(source.limits)
            $0.wantsHops = source.wantsHops
            $0.tenant = source.tenant
            $0.model = source.model
            $0.tokens = source.tokens
        }
    }

    static func tokenBatch(_ source: TokenBatch) -> Tokenfactory_Benchmarks_TokenBatch {
        .with {
            $0.session = Samples.session
            $0.sentAt = Samples.sentAt
            $0.tray = source.tray
            $0.rows = source.rows.map { row in
                .with {
                    $0.handle = row.handle
                    $0.tokenCount = UInt32(row.tokenCount)
                    $0.finish = UInt32(row.finish.rawValue)
                    $0.status = UInt32(row.status.rawValue)
                    $0.position = row.position
                    $0.cachedTokens = row.cachedTokens
                    $0.digest = row.digest
                }
            }
            $0.tokens = source.tokens
        }
    }

    static func textBatch(_ source: TextBatch) -> Tokenfactory_Benchmarks_TextBatch {
        .with {
            $0.session = Samples.session
            $0.sentAt = Samples.sentAt
            $0.tray = source.tray
            $0.rows = source.rows.map { row in
                .with {
                    $0.handle = row.handle
                    $0.tokenCount = UInt32(row.tokenCount)
                    $0.finish = UInt32(row.finish.rawValue)
                    $0.status = UInt32(row.status.rawValue)
                    $0.position = row.position
                    $0.textLength = row.textLength
                    $0.promptTokens = row.promptTokens
                    $0.cachedTokens = row.cachedTokens
                }
            }
            $0.tokens = source.tokens
            $0.text.append(contentsOf: source.text)
        }
    }

    static func recordBatch(_ source: RecordBatch) -> Tokenfactory_Benchmarks_RecordBatch {
        .with {
            $0.session = Samples.session
            $0.sentAt = Samples.sentAt
            $0.first = source.first
            $0.events = source.events.map { event in
                .with {
                    $0.kind = UInt32(event.kind.rawValue)
                    $0.requestIDHigh = event.requestID.high
                    $0.requestIDLow = event.requestID.low
                    $0.ingestAttempt = UInt32(event.ingestAttempt)
                    $0.tokenizerAttempt = UInt32(event.tokenizerAttempt)
                    $0.producerRole = UInt32(event.producerRole.rawValue)
                    $0.producer = event.producer
                    $0.outcome = UInt32(event.outcome.rawValue)
                    $0.status = UInt32(event.status.rawValue)
                    $0.promptTokens = event.promptTokens
                    $0.cachedTokens = event.cachedTokens
                    $0.producedTokens = event.producedTokens
                    $0.deliveredTokens = event.deliveredTokens
                    $0.tokensAfterCancel = event.tokensAfterCancel
                    $0.maximumTokens = event.maximumTokens
                    $0.microjoules = event.microjoules
                    $0.energySource = UInt32(event.energySource)
                    $0.wallTime = event.wallTime
                    $0.tenant = event.tenant
                    $0.model = event.model
                    $0.worker = event.worker
                }
            }
        }
    }

    private static func sampling(_ source: SamplingParameters) -> Sampling {
        .with {
            $0.seed = source.seed
            $0.temperature = source.temperature
            $0.topP = source.topP
            $0.minP = source.minP
            $0.topK = source.topK
            $0.repetitionPenalty = source.repetitionPenalty
            $0.presencePenalty = source.presencePenalty
            $0.frequencyPenalty = source.frequencyPenalty
        }
    }

    private static func limits(_ source: GenerationLimits) -> Limits {
        .with {
            $0.maximumTokens = source.maximumTokens
            $0.minimumTokens = source.minimumTokens
            $0.ignoreEndOfSequence = source.ignoreEndOfSequence
        }
    }
}
