extension Submit {
    /// A blank value to decode into.
    public init() {
        self.init(handle: 0, body: RequestBody())
    }

    /// Writes the frame, or throws `.overLimit` when the request's texts or tokens are over `WireLimits`.
    public func encode(
        into buffer: inout FrameBuffer, session: UInt32, sequence: UInt64 = 0, sentAt: UInt64 = 0,
        version: UInt8 = ProtocolVersion.current
    ) throws(WireError) {
        try check(name: key)
        try check(name: idempotencyKey)
        try check(label.utf8.count, limit: WireLimits.labelBytes)
        try body.check(generated: 0, version: version)
        let header = FrameKind.submit.header(session: session, sequence: sequence, sentAt: sentAt, version: version)
        buffer.begin(header) { raw in
            raw.put(handle, at: 32)
            raw.put(body.form.rawValue, at: 36)
            raw.put(hasSeed, at: 37)
            raw.put(streams, at: 38)
            raw.put(requestID.high, at: 40)
            raw.put(requestID.low, at: 48)
            raw.put(body.sampling, body.limits, wantsHops: body.wantsHops, at: 56)
            guard version >= 2 else { return }
            raw.put(body.options.priority, at: 104)
            raw.put(body.options.timeLeft, at: 112)
            raw.put(body.template.flags, at: 120)
        }
        buffer.append(key)
        buffer.append(body)
        if version >= 2 {
            buffer.append(body.options, template: body.template)
            buffer.append(label)
            buffer.append(idempotencyKey)
        }
        try buffer.finishChecked()
    }

    public init(decoding frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        self.init()
        try decode(frame, header: header)
    }

    /// Replaces the content, and uses its memory again. After an error the content is of no use, but for `handle` after
    /// `.overLimit`: a part of the request is too large, what follows it was not read, and the sender can be told so.
    public mutating func decode(_ frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        var reader = try FrameReader(frame, header, .submit)
        let block = frame.extracting(0..<(FrameHeader.size + 72))
        handle = block.u32(at: 32)
        body.form = try block.form(at: 36, version: header.version)
        hasSeed = try block.bool(at: 37)
        streams = try block.bool(at: 38)
        try block.reserved(at: 39, count: 1)
        requestID = RequestID(high: block.u64(at: 40), low: block.u64(at: 48))
        body.sampling = SamplingParameters(block, at: 56)
        body.limits = try GenerationLimits(block, at: 56)
        body.wantsHops = try block.bool(at: 56 + 45)
        if header.blockLength >= 96 {
            body.options.priority = Int32(bitPattern: frame.u32(at: 104))
            try frame.reserved(at: 108, count: 4)
            body.options.weight = 0
            body.options.timeLeft = frame.u64(at: 112)
            try body.template.read(flags: frame, at: 120)
        } else {
            (body.options, body.template) = (GenerationOptions(), TemplateOptions())
        }
        try reader.string(frame, into: &key)
        try reader.body(frame, into: &body)
        if header.version >= 2 {
            try reader.options(frame, into: &body.options, template: &body.template)
            try reader.string(frame, into: &label, limit: WireLimits.labelBytes)
            try reader.string(frame, into: &idempotencyKey)
        } else {
            body.options.clearParts()
            (body.template.arguments, label, idempotencyKey) = ("", "", "")
        }
        try reader.finish()
    }
}

extension Encode {
    /// A blank value to decode into.
    public init() {
        self.init(handle: 0, requestID: .none, ingestAttempt: 0, tenant: "", body: RequestBody())
    }

    /// Writes the frame, or throws `.overLimit` when the request's texts or tokens are over `WireLimits`.
    public func encode(
        into buffer: inout FrameBuffer, session: UInt32, sequence: UInt64 = 0, sentAt: UInt64 = 0,
        version: UInt8 = ProtocolVersion.current
    ) throws(WireError) {
        try check(name: tenant)
        try body.check(generated: generated.count, version: version)
        let header = FrameKind.encode.header(session: session, sequence: sequence, sentAt: sentAt, version: version)
        buffer.begin(header) { raw in
            raw.put(handle, at: 32)
            raw.put(body.form.rawValue, at: 36)
            raw.put(ingestAttempt, at: 38)
            raw.put(requestID.high, at: 40)
            raw.put(requestID.low, at: 48)
            raw.put(deliveredBytes, at: 56)
            raw.put(body.sampling, body.limits, wantsHops: body.wantsHops, at: 64)
            guard version >= 2 else { return }
            raw.put(body.options.priority, at: 112)
            raw.put(body.options.weight, at: 116)
            raw.put(body.options.timeLeft, at: 120)
            raw.put(body.template.flags, at: 128)
        }
        buffer.append(tenant)
        buffer.append(body)
        buffer.append(generated)
        if version >= 2 { buffer.append(body.options, template: body.template) }
        try buffer.finishChecked()
    }

    public init(decoding frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        self.init()
        try decode(frame, header: header)
    }

    /// Replaces the content, and uses its memory again. After an error the content is of no use.
    public mutating func decode(_ frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        var reader = try FrameReader(frame, header, .encode)
        let block = frame.extracting(0..<(FrameHeader.size + 80))
        handle = block.u32(at: 32)
        body.form = try block.form(at: 36, version: header.version)
        try block.reserved(at: 37, count: 1)
        ingestAttempt = block.u16(at: 38)
        requestID = RequestID(high: block.u64(at: 40), low: block.u64(at: 48))
        deliveredBytes = block.u64(at: 56)
        body.sampling = SamplingParameters(block, at: 64)
        body.limits = try GenerationLimits(block, at: 64)
        body.wantsHops = try block.bool(at: 64 + 45)
        if header.blockLength >= 104 {
            body.options.priority = Int32(bitPattern: frame.u32(at: 112))
            body.options.weight = frame.u32(at: 116)
            body.options.timeLeft = frame.u64(at: 120)
            try body.template.read(flags: frame, at: 128)
        } else {
            (body.options, body.template) = (GenerationOptions(), TemplateOptions())
        }
        try reader.string(frame, into: &tenant)
        try reader.body(frame, into: &body)
        try reader.tokens(frame, into: &generated, limit: WireLimits.promptTokens - body.tokens.count)
        if header.version >= 2 {
            try reader.options(frame, into: &body.options, template: &body.template)
        } else {
            body.options.clearParts()
            body.template.arguments = ""
        }
        try reader.finish()
    }
}

extension Generate {
    /// A blank value to decode into.
    public init() {
        self.init(
            handle: 0, requestID: .none, ingestAttempt: 0, tokenizerAttempt: 0, digest: 0,
            sampling: SamplingParameters(), limits: GenerationLimits(maximumTokens: 0), tenant: "", model: "",
            tokens: [])
    }

    /// Writes the frame, or throws: `.overLimit` when names or tokens are over `WireLimits`, `.inconsistent` when
    /// more tokens are said to be generated than there are.
    public func encode(
        into buffer: inout FrameBuffer, session: UInt32, sequence: UInt64 = 0, sentAt: UInt64 = 0,
        version: UInt8 = ProtocolVersion.current
    ) throws(WireError) {
        try check(name: tenant)
        try check(name: model)
        try check(tokens.count, limit: WireLimits.promptTokens)
        try options.check(version: version)
        guard Int(generatedCount) <= tokens.count else {
            throw WireError(.inconsistent, offset: 64, needed: tokens.count, found: Int(generatedCount))
        }
        let header = FrameKind.generate.header(session: session, sequence: sequence, sentAt: sentAt, version: version)
        buffer.begin(header) { raw in
            raw.put(handle, at: 32)
            raw.put(ingestAttempt, at: 36)
            raw.put(tokenizerAttempt, at: 38)
            raw.put(requestID.high, at: 40)
            raw.put(requestID.low, at: 48)
            raw.put(digest, at: 56)
            raw.put(generatedCount, at: 64)
            raw.put(sampling, limits, wantsHops: wantsHops, at: 72)
            guard version >= 2 else { return }
            raw.put(options.priority, at: 120)
            raw.put(options.weight, at: 124)
            raw.put(options.timeLeft, at: 128)
        }
        buffer.append(tenant)
        buffer.append(model)
        buffer.append(tokens)
        if version >= 2 { buffer.append(options) }
        try buffer.finishChecked()
    }

    public init(decoding frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        self.init()
        try decode(frame, header: header)
    }

    /// Replaces the content, and uses its memory again. After an error the content is of no use.
    public mutating func decode(_ frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        var reader = try FrameReader(frame, header, .generate)
        let block = frame.extracting(0..<(FrameHeader.size + 88))
        handle = block.u32(at: 32)
        ingestAttempt = block.u16(at: 36)
        tokenizerAttempt = block.u16(at: 38)
        requestID = RequestID(high: block.u64(at: 40), low: block.u64(at: 48))
        digest = block.u64(at: 56)
        generatedCount = block.u32(at: 64)
        try block.reserved(at: 68, count: 4)
        sampling = SamplingParameters(block, at: 72)
        limits = try GenerationLimits(block, at: 72)
        wantsHops = try block.bool(at: 72 + 45)
        if header.blockLength >= 104 {
            options.priority = Int32(bitPattern: frame.u32(at: 120))
            options.weight = frame.u32(at: 124)
            options.timeLeft = frame.u64(at: 128)
        } else {
            (options.priority, options.weight, options.timeLeft) = (0, 0, 0)
        }
        try reader.string(frame, into: &tenant)
        try reader.string(frame, into: &model)
        try reader.tokens(frame, into: &tokens)
        if header.version >= 2 { try reader.options(frame, into: &options) } else { options.clearParts() }
        guard Int(generatedCount) <= tokens.count else {
            throw WireError(.inconsistent, offset: 64, needed: tokens.count, found: Int(generatedCount))
        }
        try reader.finish()
    }
}

extension RequestBody {
    init() {
        self.init(
            form: .text, sampling: SamplingParameters(), limits: GenerationLimits(maximumTokens: 0), model: "")
    }

    /// Holds the parts against the limits before anything is written.
    fileprivate func check(generated: Int, version: UInt8) throws(WireError) {
        guard version >= 2 || !needsVersion2 else {
            throw WireError(.unsupportedVersion, offset: 2, needed: 2, found: UInt64(version))
        }
        try options.check(version: version)
        try Wire.check(template.arguments.utf8.count, limit: WireLimits.templateArgumentBytes)
        try Wire.check(name: model)
        try Wire.check(strings.count, limit: WireLimits.promptStrings)
        try Wire.check(stops.count, limit: WireLimits.stopStrings)
        try Wire.check(tokens.count + generated, limit: WireLimits.promptTokens)
        for string in strings { try Wire.check(string.utf8.count, limit: WireLimits.stringBytes) }
        for string in stops { try Wire.check(string.utf8.count, limit: WireLimits.stringBytes) }
    }
}

extension GenerationOptions {
    fileprivate func check(version: UInt8) throws(WireError) {
        guard version >= 2 || !needsVersion2 else {
            throw WireError(.unsupportedVersion, offset: 2, needed: 2, found: UInt64(version))
        }
        try Wire.check(stopTokens.count, limit: WireLimits.stopTokens)
        try Wire.check(logitBias.count, limit: WireLimits.logitBiases)
        try Wire.check(name: cacheSalt)
    }

    /// Empties what stands in parts that a frame of version 1 does not have, and keeps the memory.
    fileprivate mutating func clearParts() {
        stopTokens.removeAll(keepingCapacity: true)
        logitBias.removeAll(keepingCapacity: true)
        cacheSalt = ""
    }
}

extension TemplateOptions {
    var flags: UInt8 { (continuesFinalMessage ? 1 : 0) | (omitsGenerationPrompt ? 2 : 0) }

    mutating func read(flags frame: Span<UInt8>, at offset: Int) throws(WireError) {
        let bits = frame[offset]
        guard bits <= 3 else { throw WireError(.invalidValue, offset: offset, needed: 3, found: UInt64(bits)) }
        continuesFinalMessage = bits & 1 != 0
        omitsGenerationPrompt = bits & 2 != 0
        try frame.reserved(at: offset + 1, count: 7)
    }
}

private func check(name: String) throws(WireError) {
    try check(name.utf8.count, limit: WireLimits.nameBytes)
}

func check(_ count: Int, limit: Int) throws(WireError) {
    guard count <= limit else { throw WireError(.overLimit, offset: 0, needed: limit, found: count) }
}

extension FrameBuffer {
    fileprivate mutating func append(_ body: RequestBody) {
        append(body.model)
        append(body.strings)
        append(body.tokens)
        append(body.stops)
    }

    fileprivate mutating func append(_ options: GenerationOptions, template: TemplateOptions) {
        append(options.stopTokens)
        append(options.logitBias)
        append(template.arguments)
        append(options.cacheSalt)
    }

    fileprivate mutating func append(_ options: GenerationOptions) {
        append(options.stopTokens)
        append(options.logitBias)
        append(options.cacheSalt)
    }

    /// Ends a frame whose size the user's data decides.
    mutating func finishChecked() throws(WireError) {
        guard bytes.count <= WireLimits.frameBytes else {
            let found = bytes.count
            reset()
            throw WireError(.overLimit, offset: 0, needed: WireLimits.frameBytes, found: found)
        }
        finish()
    }
}

extension FrameReader {
    fileprivate mutating func options(
        _ frame: Span<UInt8>, into options: inout GenerationOptions, template: inout TemplateOptions
    ) throws(WireError) {
        try tokens(frame, into: &options.stopTokens, limit: WireLimits.stopTokens)
        try biases(frame, into: &options.logitBias)
        try string(frame, into: &template.arguments, limit: WireLimits.templateArgumentBytes)
        try string(frame, into: &options.cacheSalt)
    }

    fileprivate mutating func options(
        _ frame: Span<UInt8>, into options: inout GenerationOptions
    ) throws(WireError) {
        try tokens(frame, into: &options.stopTokens, limit: WireLimits.stopTokens)
        try biases(frame, into: &options.logitBias)
        try string(frame, into: &options.cacheSalt)
    }

    fileprivate mutating func body(_ frame: Span<UInt8>, into body: inout RequestBody) throws(WireError) {
        try string(frame, into: &body.model)
        try strings(frame, into: &body.strings, limit: WireLimits.promptStrings)
        try tokens(frame, into: &body.tokens)
        try strings(frame, into: &body.stops, limit: WireLimits.stopStrings)
    }
}

/// The group of 48 bytes that `submit`, `encode` and `generate` have in common.
extension MutableRawSpan {
    @inline(__always)
    fileprivate mutating func put(
        _ sampling: SamplingParameters, _ limits: GenerationLimits, wantsHops: Bool, at base: Int
    ) {
        put(sampling.seed, at: base)
        put(sampling.temperature, at: base + 8)
        put(sampling.topP, at: base + 12)
        put(sampling.minP, at: base + 16)
        put(sampling.topK, at: base + 20)
        put(sampling.repetitionPenalty, at: base + 24)
        put(sampling.presencePenalty, at: base + 28)
        put(sampling.frequencyPenalty, at: base + 32)
        put(limits.maximumTokens, at: base + 36)
        put(limits.minimumTokens, at: base + 40)
        put(limits.ignoreEndOfSequence, at: base + 44)
        put(wantsHops, at: base + 45)
    }
}

extension SamplingParameters {
    @inline(__always)
    fileprivate init(_ frame: Span<UInt8>, at base: Int) {
        self.init(
            seed: frame.u64(at: base), temperature: frame.f32(at: base + 8), topP: frame.f32(at: base + 12),
            minP: frame.f32(at: base + 16), topK: frame.u32(at: base + 20),
            repetitionPenalty: frame.f32(at: base + 24), presencePenalty: frame.f32(at: base + 28),
            frequencyPenalty: frame.f32(at: base + 32))
    }
}

extension GenerationLimits {
    @inline(__always)
    fileprivate init(_ frame: Span<UInt8>, at base: Int) throws(WireError) {
        self.init(
            maximumTokens: frame.u32(at: base + 36), minimumTokens: frame.u32(at: base + 40),
            ignoreEndOfSequence: try frame.bool(at: base + 44))
        try frame.reserved(at: base + 46, count: 2)
    }
}
