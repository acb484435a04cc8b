import Foundation
import Testing
import Wire

/// Frames built by hand from docs/wire-format.md (scripts/golden-vectors.py), against the codec.
@Suite struct GoldenVectorTests {
    private static let session: UInt32 = 0x1122_3344
    private static let requestID = RequestID(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210)
    private static let sampling = SamplingParameters(
        seed: 42, temperature: 0.75, topP: 0.5, minP: 0.25, topK: 40, repetitionPenalty: 1.5, presencePenalty: -0.5,
        frequencyPenalty: 0.125)
    private static let limits = GenerationLimits(maximumTokens: 128, minimumTokens: 3, ignoreEndOfSequence: true)

    private static func text(_ tray: UInt64, hops: [HopRecord] = []) -> TextBatch {
        TextBatch(
            tray: tray,
            rows: [
                TextRow(
                    handle: 5, tokenCount: 2, position: 0, textLength: 3, promptTokens: 12, cachedTokens: 8),
                TextRow(
                    handle: 9, tokenCount: 1, finish: .stop, position: 31, textLength: 4, promptTokens: 100),
                TextRow(handle: 6, tokenCount: 0, finish: .failed, status: .busy, position: 0, textLength: 4),
            ], tokens: [100, 0xffff_ffff, 7], text: Array("héé!!busy".utf8), hops: hops)
    }

    private static func changed<Value>(_ value: Value, _ change: (inout Value) -> Void) -> Value {
        var value = value
        change(&value)
        return value
    }

    private static let submit = Submit(
        handle: 21, requestID: requestID, hasSeed: true, streams: true, key: "key-é",
        body: RequestBody(
            form: .chat, sampling: sampling, limits: limits, wantsHops: true, model: "smollm2",
            strings: ["system", "Be brief.", "user", "Hi 👋"], stops: ["\n\n", "END"]))
    private static let encode = Encode(
        handle: 22, requestID: requestID, ingestAttempt: 1, deliveredBytes: 77, tenant: "acme",
        body: RequestBody(
            form: .tokens, sampling: sampling, limits: limits, model: "smollm2", tokens: [1, 2, 3],
            stops: ["END"]), generated: [4, 5])
    private static let generate = Generate(
        handle: 23, requestID: requestID, ingestAttempt: 1, tokenizerAttempt: 2,
        digest: 0xaabb_ccdd_eeff_0011, generatedCount: 2, sampling: sampling, limits: limits, wantsHops: true,
        tenant: "acme", model: "smollm2", tokens: [1, 2, 3, 49_151, 4, 5])
    private static let events = [
        LedgerEvent(
            kind: .attempt, requestID: requestID, ingestAttempt: 1, tokenizerAttempt: 2,
            producerRole: .inferenceWorker, producer: 0x0a0b_0c0d_0e0f_1011, outcome: .cancelled,
            promptTokens: 12, cachedTokens: 8, producedTokens: 40, deliveredTokens: 38,
            tokensAfterCancel: 2, maximumTokens: 128, microjoules: 5_000_000, energySource: 2,
            wallTime: 1_700_000_000_000_000_000, tenant: "acme", model: "smollm2", worker: "worker-1"),
        LedgerEvent(
            kind: .reserve, requestID: requestID, producerRole: .ingest, producer: 5, maximumTokens: 128,
            wallTime: 6, tenant: "acme", model: "smollm2", worker: "ingest-1"),
    ]

    /// Vectors whose block is that of the first version, shorter than what is written now.
    private static let readOnly: Set<String> = ["hello-1", "welcome-1", "heartbeat-reply-1"]

    static let expected: [String: AnyFrame] = [
        "hello": .hello(
            changed(
                Hello(
                    role: .client, minimumVersion: 2, maximumVersion: 2, epoch: 0xa1b2_c3d4_e5f6_0718, attempt: 3,
                    slots: 64, contextLength: 8192, model: "smollm2", name: "wörker-1")
            ) {
                $0.longestToken = 93
                $0.key = "key-é"
            }),
        "hello-1": .hello(
            Hello(
                role: .inferenceWorker, minimumVersion: 1, maximumVersion: 1, epoch: 0xa1b2_c3d4_e5f6_0718, attempt: 3,
                slots: 64, contextLength: 8192, model: "smollm2", name: "wörker-1")),
        "welcome": .welcome(
            changed(
                Welcome(
                    role: .ingest, version: 2, epoch: 0x1122_3344_5566_7788, session: session, window: 64,
                    heartbeatMilliseconds: 250, timeoutMilliseconds: 5000, name: "ingest-1")
            ) { $0.outputWindow = 262_144 }),
        "welcome-1": .welcome(
            Welcome(
                role: .tokenizer, version: 1, epoch: 0x1122_3344_5566_7788, session: session, window: 64,
                heartbeatMilliseconds: 250, timeoutMilliseconds: 5000, name: "tokenizer-1")),
        "submit-1": .submit(submit),
        "encode-1": .encode(encode),
        "generate-1": .generate(generate),
        "record-1": .record(RecordBatch(first: 1001, events: events)),
        "tokenize": .tokenize(
            changed(
                Tokenize(
                    number: 6, timeLeft: 5_000_000_000, weight: 2500, form: .chat, addsSpecialTokens: false,
                    wantsPieces: true, tenant: "acme", model: "smollm2", strings: ["user", "Hi 👋"], tokens: [])
            ) {
                $0.template.omitsGenerationPrompt = true
                $0.template.arguments = #"{"a":1}"#
            }),
        "tokenized": .tokenized(
            Tokenized(
                number: 6, status: .ok, contextLength: 8192, tokens: [1, 49_151, 7], ends: [0, 3, 6],
                text: Array("Hi ".utf8) + [0xf0, 0x9f, 0x91])),
        "claim": .claim(
            Claim(
                number: 5, requestID: requestID,
                bodyDigest: BodyDigest(
                    0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908, 0x1716_1514_1312_1110, 0x1f1e_1d1c_1b1a_1918),
                tenant: "acme", key: "order-17")),
        "claim-answer": .claimAnswer(
            ClaimAnswer(number: 5, requestID: requestID, outcome: .ended, finish: .length, deliveredTokens: 128)),
        "reset": .reset(Reset(status: .unknownSession)),
        "heartbeat": .heartbeat(Heartbeat(waiting: 17, traysTaken: 99)),
        "heartbeat-reply": .heartbeatReply(
            changed(HeartbeatReply(originAt: 1000, receivedAt: 2000, held: 4, free: 60, stepAge: 3000)) {
                $0.contextLength = 8192
            }),
        "heartbeat-reply-1": .heartbeatReply(
            HeartbeatReply(originAt: 1000, receivedAt: 2000, held: 4, free: 60, stepAge: 3000)),
        "credit": .count(.credit, Count(64)),
        "recall": .count(.recall, Count(32)),
        "recall-ack": .count(.recallAck, Count(33)),
        "demand": .count(.demand, Count(5)),
        "goodbye": .empty(.goodbye),
        "goodbye-ack": .empty(.goodbyeAck),
        "tray-ack": .count(.trayAck, Count(0x0102_0304_0506_0708)),
        "cancel": .cancel(Cancel(handle: 0xdead_beef)),
        "probe": .count(.probe, Count(3)),
        "probe-reply": .count(.probeReply, Count(3)),
        "submit": .submit(
            changed(submit) {
                $0.body.options.priority = -3
                $0.body.options.timeLeft = 5_000_000_000
                $0.body.options.stopTokens = [2, 49_151]
                $0.body.options.logitBias = [LogitBias(token: 7, bias: -100), LogitBias(token: 9, bias: 0.5)]
                $0.body.options.cacheSalt = "salt"
                $0.body.template.arguments = "{\"a\":1}"
                $0.body.template.continuesFinalMessage = true
                $0.label = "my request"
                $0.idempotencyKey = "order-17"
            }),
        "output": .text(.output, text(2)),
        "encode": .encode(
            changed(encode) {
                $0.body.options.priority = 2
                $0.body.options.weight = 2500
                $0.body.options.timeLeft = 1000
                $0.body.options.stopTokens = [2]
                $0.body.options.logitBias = [LogitBias(token: 7, bias: -100)]
                $0.body.options.cacheSalt = "salt"
                $0.body.template.arguments = "{\"a\":1}"
                $0.body.template.omitsGenerationPrompt = true
            }),
        "text-batch": .text(
            .textBatch,
            text(
                3,
                hops: [
                    HopRecord(
                        handle: 9, station: .inferenceWorker, phase: .down, uncertainty: 12, receivedAt: 10,
                        begunAt: 20, sentAt: 30),
                    HopRecord(
                        handle: 9, station: .tokenizer, phase: .lastToken, uncertainty: 65_535, receivedAt: 40,
                        begunAt: 50, sentAt: 60),
                ])),
        "generate": .generate(
            changed(generate) {
                $0.options.priority = -1
                $0.options.weight = 500
                $0.options.timeLeft = 9000
                $0.options.stopTokens = [2, 3]
                $0.options.logitBias = [LogitBias(token: 1, bias: 1.5)]
                $0.options.cacheSalt = "salt"
            }),
        "token-batch": .tokens(
            TokenBatch(
                tray: 4,
                rows: [
                    TokenRow(
                        handle: 23, tokenCount: 1, position: 0, cachedTokens: 16, digest: 0xaabb_ccdd_eeff_0011),
                    TokenRow(handle: 24, tokenCount: 2, finish: .length, position: 9),
                ], tokens: [198, 7, 2])),
        "record": .record(
            RecordBatch(first: 1001, events: [events[0], changed(events[1]) { $0.label = "my request" }])),
        "record-complete": .record(
            RecordBatch(
                first: 1001, events: [changed(events[1]) { $0.label = "my request" }], isComplete: true)),
        "record-ack": .count(.recordAck, Count(1002)),
    ]

    @Test(arguments: Self.expected.keys.sorted()) func codecAgreesWithThePage(_ name: String) throws {
        let bytes = try Self.vector(name)
        let expected = try #require(Self.expected[name])
        let header = try FrameHeader.decode(bytes.span)
        let isHello = header.kind == .hello
        #expect(header.session == (isHello ? 0 : Self.session))
        #expect(header.sequence == (isHello ? 0 : 7))
        #expect(header.sentAt == 1_000_000_007)
        #expect(try AnyFrame(decoding: bytes.span, header: header) == expected)
        #expect(header.version == (name.hasSuffix("-1") ? 1 : 2))
        guard !Self.readOnly.contains(name) else { return }
        #expect(
            try expected.encoded(
                session: header.session, sequence: header.sequence, sentAt: header.sentAt, version: header.version)
                == bytes)
    }

    @Test func everyKindHasAVectorAndEveryVectorATest() throws {
        let directory = try #require(Bundle.module.url(forResource: "Vectors", withExtension: nil))
        let files = try FileManager.default.contentsOfDirectory(atPath: directory.path)
            .filter { $0.hasSuffix(".hex") }.map { String($0.dropLast(4)) }
        #expect(Set(files) == Set(Self.expected.keys))
        #expect(Set(Self.expected.values.map(\.kind)) == Set(FrameKind.allCases))
    }

    @Test func digestIsFNV1a() {
        // FNV-1a of nothing, and of the four bytes "foob" as the reference tables have it.
        #expect(TokenDigest.of([]) == 0xcbf2_9ce4_8422_2325)
        #expect(TokenDigest.of([0x626f_6f66]) == 0xdd12_0e79_0c25_12af)
    }

    static func vector(_ name: String) throws -> [UInt8] {
        let url = try #require(Bundle.module.url(forResource: name, withExtension: "hex", subdirectory: "Vectors"))
        let text = try String(contentsOf: url, encoding: .utf8)
        return try text.split(whereSeparator: \.isWhitespace).map { try #require(UInt8($0, radix: 16)) }
    }
}
