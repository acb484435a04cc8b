import Seeds
import Wire

extension SeededGenerator {
    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
    mutating func bool() -> Bool { next() & 1 == 1 }
    mutating func u16() -> UInt16 { UInt16(truncatingIfNeeded: next()) }
    mutating func u32() -> UInt32 { bool() ? UInt32(truncatingIfNeeded: next()) : UInt32(below(300)) }

    mutating func pick<Value: CaseIterable>(_: Value.Type) -> Value where Value.AllCases == [Value] {
        Value.allCases[below(Value.allCases.count)]
    }
}

/// Arbitrary messages, up to `size` elements in each variable part.
struct Samples {
    var random: SeededGenerator
    var size: Int

    init(seed: UInt64, size: Int) {
        random = SeededGenerator(seed: seed)
        self.size = size
    }

    mutating func frame(_ kind: FrameKind) -> AnyFrame {
        switch kind {
        case .hello:
            .hello(hello())
        case .welcome:
            .welcome(welcome())
        case .reset: .reset(Reset(status: random.pick(Status.self)))
        case .heartbeat: .heartbeat(Heartbeat(waiting: random.u32(), traysTaken: random.next()))
        case .heartbeatReply:
            .heartbeatReply(
                heartbeatReply())
        case .credit, .recall, .recallAck, .demand, .trayAck, .probe, .probeReply, .recordAck:
            .count(kind, Count(random.next()))
        case .goodbye, .goodbyeAck: .empty(kind)
        case .cancel: .cancel(Cancel(handle: random.u32()))
        case .submit:
            .submit(submit())
        case .output, .textBatch: .text(kind, textBatch())
        case .encode:
            .encode(
                Encode(
                    handle: random.u32(), requestID: id(), ingestAttempt: random.u16(), deliveredBytes: random.next(),
                    tenant: name(), body: body(), generated: tokens()))
        case .generate: .generate(generate())
        case .tokenBatch: .tokens(tokenBatch())
        case .record:
            .record(
                RecordBatch(
                    first: random.next(), events: (0..<random.below(min(size, 6) + 1)).map { _ in event() },
                    isComplete: random.below(2) == 1))
        case .tokenize: .tokenize(tokenize())
        case .tokenized: .tokenized(tokenized())
        case .claim:
            .claim(
                Claim(number: random.next(), requestID: id(), bodyDigest: digest(), tenant: name(), key: name()))
        case .claimAnswer:
            .claimAnswer(
                ClaimAnswer(
                    number: random.next(), requestID: id(), outcome: random.pick(ClaimOutcome.self),
                    finish: random.pick(FinishReason.self), deliveredTokens: random.u32()))
        }
    }

    private mutating func tokenize() -> Tokenize {
        let body = body()
        return Tokenize(
            number: random.next(), timeLeft: random.next(), weight: random.u32(), form: body.form,
            addsSpecialTokens: random.bool(), wantsPieces: random.bool(), template: body.template, tenant: name(),
            model: body.model, strings: body.strings, tokens: body.tokens)
    }

    private mutating func tokenized() -> Tokenized {
        var answer = Tokenized(
            number: random.next(), status: random.pick(Status.self), contextLength: random.u32(), tokens: tokens())
        let hasPieces = random.bool()
        for _ in answer.tokens where hasPieces {
            answer.text += Array(text(3).utf8)
            answer.ends.append(UInt32(answer.text.count))
        }
        if !hasPieces { answer.text = Array(text(size).utf8) }
        return answer
    }

    private mutating func hello() -> Hello {
        var hello = Hello(
            role: random.pick(StationRole.self), minimumVersion: random.bool() ? 1 : 2,
            maximumVersion: UInt8(truncatingIfNeeded: random.next()), epoch: random.next(),
            attempt: random.u32(), slots: random.u32(), contextLength: random.u32(), model: name(), name: name())
        hello.longestToken = random.u32()
        if hello.minimumVersion >= 2 { hello.key = name() }
        return hello
    }

    private mutating func welcome() -> Welcome {
        var welcome = Welcome(
            role: random.pick(StationRole.self), version: UInt8(truncatingIfNeeded: random.next()),
            epoch: random.next(), session: random.u32(), window: random.u16(),
            heartbeatMilliseconds: random.u32(), timeoutMilliseconds: random.u32(), model: name(), name: name())
        welcome.outputWindow = random.u32()
        return welcome
    }

    private mutating func submit() -> Submit {
        var submit = Submit(
            handle: random.u32(), requestID: id(), hasSeed: random.bool(), streams: random.bool(), key: name(),
            body: body())
        submit.body.options.weight = 0
        submit.label = name()
        submit.idempotencyKey = name()
        return submit
    }

    private mutating func options() -> GenerationOptions {
        var options = GenerationOptions()
        options.priority = Int32(bitPattern: UInt32(truncatingIfNeeded: random.next()))
        options.weight = random.u32()
        options.timeLeft = random.next()
        options.stopTokens = (0..<random.below(min(size, WireLimits.stopTokens) + 1)).map { _ in random.u32() }
        options.logitBias = (0..<random.below(min(size, WireLimits.logitBiases) + 1)).map { _ in
            LogitBias(token: random.u32(), bias: float())
        }
        options.cacheSalt = name()
        return options
    }

    private mutating func heartbeatReply() -> HeartbeatReply {
        var reply = HeartbeatReply(
            originAt: random.next(), receivedAt: random.next(), held: random.u32(), free: random.u32(),
            stepAge: random.next())
        reply.contextLength = random.u32()
        return reply
    }

    private mutating func digest() -> BodyDigest {
        BodyDigest(random.next(), random.next(), random.next(), random.next())
    }

    private mutating func id() -> RequestID { RequestID(high: random.next(), low: random.next()) }

    private mutating func text(_ limit: Int) -> String {
        let alphabet: [Character] = ["a", "Z", "0", " ", "\n", "é", "漢", "👩‍👩‍👧", "\u{0}", "|", "<"]
        return String((0..<random.below(limit + 1)).map { _ in alphabet[random.below(alphabet.count)] })
    }

    private mutating func name() -> String {
        // The longest character of the alphabet has 18 bytes.
        text(min(size, WireLimits.nameBytes / 18))
    }

    private mutating func tokens() -> [UInt32] { (0..<random.below(size + 1)).map { _ in random.u32() } }

    private mutating func float() -> Float {
        let value = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
        return value.isFinite ? value : -0.0
    }

    private mutating func sampling() -> SamplingParameters {
        SamplingParameters(
            seed: random.next(), temperature: float(), topP: float(), minP: float(), topK: random.u32(),
            repetitionPenalty: float(), presencePenalty: float(), frequencyPenalty: float())
    }

    private mutating func limits() -> GenerationLimits {
        GenerationLimits(
            maximumTokens: random.u32(), minimumTokens: random.u32(), ignoreEndOfSequence: random.bool())
    }

    private mutating func body() -> RequestBody {
        var body = RequestBody(
            form: random.pick(PromptForm.self), sampling: sampling(), limits: limits(), wantsHops: random.bool(),
            model: name(), strings: (0..<random.below(5)).map { _ in text(size) }, tokens: tokens(),
            stops: (0..<random.below(3)).map { _ in text(min(size, 8)) })
        body.options = options()
        body.template.arguments = text(size)
        body.template.continuesFinalMessage = random.bool()
        body.template.omitsGenerationPrompt = random.bool()
        return body
    }

    private mutating func generate() -> Generate {
        let tokens = tokens()
        var generate = Generate(
            handle: random.u32(), requestID: id(), ingestAttempt: random.u16(), tokenizerAttempt: random.u16(),
            digest: TokenDigest.of(tokens), generatedCount: UInt32(random.below(tokens.count + 1)),
            sampling: sampling(), limits: limits(), wantsHops: random.bool(), tenant: name(), model: name(),
            tokens: tokens)
        generate.options = options()
        return generate
    }

    private mutating func hops() -> [HopRecord] {
        (0..<(random.bool() ? 0 : random.below(4))).map { _ in
            HopRecord(
                handle: random.u32(), station: random.pick(StationRole.self), phase: random.pick(HopPhase.self),
                uncertainty: random.u16(), receivedAt: random.next(), begunAt: random.next(), sentAt: random.next())
        }
    }

    private mutating func tokenBatch() -> TokenBatch {
        var batch = TokenBatch(tray: random.next(), hops: hops())
        for _ in 0..<random.below(size + 1) {
            let count = random.below(4)
            batch.rows.append(
                TokenRow(
                    handle: random.u32(), tokenCount: UInt16(count), finish: random.pick(FinishReason.self),
                    status: random.pick(Status.self), position: random.u32(), cachedTokens: random.u32(),
                    digest: random.next()))
            for _ in 0..<count { batch.tokens.append(random.u32()) }
        }
        return batch
    }

    private mutating func textBatch() -> TextBatch {
        var batch = TextBatch(tray: random.next(), hops: hops())
        for _ in 0..<random.below(size + 1) {
            let count = random.below(4)
            let bytes = Array(text(6).utf8)
            batch.rows.append(
                TextRow(
                    handle: random.u32(), tokenCount: UInt16(count), finish: random.pick(FinishReason.self),
                    status: random.pick(Status.self), position: random.u32(), textLength: UInt32(bytes.count),
                    promptTokens: random.u32(), cachedTokens: random.u32()))
            for _ in 0..<count { batch.tokens.append(random.u32()) }
            batch.text += bytes
        }
        return batch
    }

    private mutating func event() -> LedgerEvent {
        var event = LedgerEvent(
            kind: random.pick(EventKind.self), requestID: id(), ingestAttempt: random.u16(),
            tokenizerAttempt: random.u16(), producerRole: random.pick(StationRole.self), producer: random.next(),
            outcome: random.pick(FinishReason.self), status: random.pick(Status.self), promptTokens: random.u32(),
            cachedTokens: random.u32(), producedTokens: random.u32(), deliveredTokens: random.u32(),
            tokensAfterCancel: random.u32(), maximumTokens: random.u32(),
            microjoules: Int64(bitPattern: random.next()), energySource: UInt8(random.below(3)),
            wallTime: random.next(), tenant: name(), model: name(), worker: name())
        event.label = name()
        return event
    }
}
