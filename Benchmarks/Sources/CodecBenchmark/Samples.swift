import Wire

/// The messages that are measured: of the sizes that a busy line has.
enum Samples {
    static let tokenCount = 512
    static let rowCount = 1024
    static let eventCount = 64
    static let session: UInt32 = 0x1122_3344
    static let sentAt: UInt64 = 1_000_000_007

    /// Token ids below 49,152 (a small model's vocabulary), spread evenly; the same in each run.
    static func tokens(_ count: Int) -> [UInt32] {
        var state: UInt64 = 42
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt32((state >> 33) % 49_152)
        }
    }

    static func generate() -> Generate {
        let tokens = tokens(tokenCount)
        return Generate(
            handle: 4711, requestID: RequestID(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210),
            ingestAttempt: 1, tokenizerAttempt: 1, digest: TokenDigest.of(tokens), generatedCount: 3,
            sampling: SamplingParameters(
                seed: 0x5eed_5eed_5eed_5eed, temperature: 0.7, topP: 0.95, minP: 0.05, topK: 40,
                repetitionPenalty: 1.1),
            limits: GenerationLimits(maximumTokens: 128), tenant: "tenant-a", model: "smollm2-135m-instruct",
            tokens: tokens)
    }

    static func tokenBatch() -> TokenBatch {
        let rows = (0..<rowCount).map { index in
            TokenRow(handle: 65_536 + UInt32(index), tokenCount: 1, position: UInt32(index % 128))
        }
        return TokenBatch(tray: 12_345, rows: rows, tokens: tokens(rowCount))
    }

    static func textBatch() -> TextBatch {
        let rows = (0..<rowCount).map { index in
            TextRow(handle: 65_536 + UInt32(index), tokenCount: 1, position: UInt32(index % 128), textLength: 5)
        }
        return TextBatch(
            tray: 12_345, rows: rows, tokens: tokens(rowCount),
            text: Array(repeating: "word ".utf8, count: rowCount).flatMap(\.self))
    }

    static func recordBatch() -> RecordBatch {
        let events = (0..<eventCount).map { index in
            LedgerEvent(
                kind: .attempt, requestID: RequestID(high: 0x0123_4567_89ab_cdef, low: UInt64(index) << 40),
                ingestAttempt: 1, tokenizerAttempt: 1, producerRole: .inferenceWorker,
                producer: 0xaabb_ccdd_eeff_0011, outcome: .length, promptTokens: 512, cachedTokens: 256,
                producedTokens: 128, maximumTokens: 128, microjoules: 1_234_567, energySource: 2,
                wallTime: 1_800_000_000_000_000_000 + UInt64(index), tenant: "tenant-\(index % 4)",
                model: "smollm2-135m-instruct", worker: "inference-worker-1")
        }
        return RecordBatch(first: 1001, events: events)
    }
}
