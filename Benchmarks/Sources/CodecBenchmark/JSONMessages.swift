import Wire

/// The samples as types that the compiler makes codable: field names as keys.
struct JSONGenerate: Codable, Equatable {
    struct Sampling: Codable, Equatable {
        var seed: UInt64
        var temperature, topP, minP: Float
        var topK: UInt32
        var repetitionPenalty, presencePenalty, frequencyPenalty: Float
    }
    struct Limits: Codable, Equatable {
        var maximumTokens, minimumTokens: UInt32
        var ignoreEndOfSequence: Bool
    }

    var session: UInt32
    var sequence, sentAt: UInt64
    var handle: UInt32
    var requestID: String
    var ingestAttempt, tokenizerAttempt: UInt16
    var digest: UInt64
    var generatedCount: UInt32
    var sampling: Sampling
    var limits: Limits
    var wantsHops: Bool
    var tenant, model: String
    var tokens: [UInt32]

    init(_ source: Generate) {
        session = Samples.session
        sequence = 1
        sentAt = Samples.sentAt
        handle = source.handle
        requestID = source.requestID.description
        ingestAttempt = source.ingestAttempt
        tokenizerAttempt = source.tokenizerAttempt
        digest = source.digest
        generatedCount = source.generatedCount
        let from = source.sampling
        sampling = Sampling(
            seed: from.seed, temperature: from.temperature, topP: from.topP, minP: from.minP, topK: from.topK,
            repetitionPenalty: from.repetitionPenalty, presencePenalty: from.presencePenalty,
            frequencyPenalty: from.frequencyPenalty)
        limits = Limits(
            maximumTokens: source.limits.maximumTokens, minimumTokens: source.limits.minimumTokens,
            ignoreEndOfSequence: source.limits.ignoreEndOfSequence)
        wantsHops = source.wantsHops
        tenant = source.tenant
        model = source.model
        tokens = source.tokens
    }
}

struct JSONTokenBatch: Codable, Equatable {
    struct Row: Codable, Equatable {
        var handle: UInt32
        var tokenCount: UInt16
        var finish: UInt8
        var status: UInt16
        var position, cachedTokens: UInt32
        var digest: UInt64
    }

    var session: UInt32
    var sequence, sentAt, tray: UInt64
    var rows: [Row]
    var tokens: [UInt32]

    init(_ source: TokenBatch) {
        session = Samples.session
        sequence = 1
        sentAt = Samples.sentAt
        tray = source.tray
        rows = source.rows.map {
            Row(
                handle: $0.handle, tokenCount: $0.tokenCount, finish: $0.finish.rawValue, status: $0.status.rawValue,
                position: $0.position, cachedTokens: $0.cachedTokens, digest: $0.digest)
        }
        tokens = source.tokens
    }
}

struct JSONTextBatch: Codable, Equatable {
    struct Row: Codable, Equatable {
        var handle: UInt32
        var tokenCount: UInt16
        var finish: UInt8
        var status: UInt16
        var position, textLength, promptTokens, cachedTokens: UInt32
    }

    var session: UInt32
    var sequence, sentAt, tray: UInt64
    var rows: [Row]
    var tokens: [UInt32]
    var text: String

    init(_ source: TextBatch) {
        session = Samples.session
        sequence = 1
        sentAt = Samples.sentAt
        tray = source.tray
        rows = source.rows.map {
            Row(
                handle: $0.handle, tokenCount: $0.tokenCount, finish: $0.finish.rawValue, status: $0.status.rawValue,
                position: $0.position, textLength: $0.textLength, promptTokens: $0.promptTokens,
                cachedTokens: $0.cachedTokens)
        }
        tokens = source.tokens
        text = String(decoding: source.text, as: UTF8.self)
    }
}

struct JSONRecordBatch: Codable, Equatable {
    struct Event: Codable, Equatable {
        var kind: UInt8
        var requestID: String
        var ingestAttempt, tokenizerAttempt: UInt16
        var producerRole: UInt8
        var producer: UInt64
        var outcome: UInt8
        var status: UInt16
        var promptTokens, cachedTokens, producedTokens, deliveredTokens, tokensAfterCancel, maximumTokens: UInt32
        var microjoules: Int64
        var energySource: UInt8
        var wallTime: UInt64
        var tenant, model, worker: String
    }

    var session: UInt32
    var sequence, sentAt, first: UInt64
    var events: [Event]

    init(_ source: RecordBatch) {
        session = Samples.session
        sequence = 1
        sentAt = Samples.sentAt
        first = source.first
        events = source.events.map {
            Event(
                kind: $0.kind.rawValue, requestID: $0.requestID.description, ingestAttempt: $0.ingestAttempt,
                tokenizerAttempt: $0.tokenizerAttempt, producerRole: $0.producerRole.rawValue, producer: $0.producer,
                outcome: $0.outcome.rawValue, status: $0.status.rawValue, promptTokens: $0.promptTokens,
                cachedTokens: $0.cachedTokens, producedTokens: $0.producedTokens,
                deliveredTokens: $0.deliveredTokens, tokensAfterCancel: $0.tokensAfterCancel,
                maximumTokens: $0.maximumTokens, microjoules: $0.microjoules, energySource: $0.energySource,
                wallTime: $0.wallTime, tenant: $0.tenant, model: $0.model, worker: $0.worker)
        }
    }
}
