extension RecordBatch {
    /// Writes the frame. The caller keeps to `WireLimits.events` and `nameBytes`: the receiver refuses more.
    /// - Parameter padding: Zeros behind the fixed fields of each event, which readers skip: at most 7.
    public func encode(
        into buffer: inout FrameBuffer, session: UInt32, sequence: UInt64 = 0, sentAt: UInt64 = 0,
        version: UInt8 = ProtocolVersion.current, padding: Int = 0
    ) {
        let header = FrameKind.record.header(session: session, sequence: sequence, sentAt: sentAt, version: version)
        buffer.begin(header) { raw in
            raw.put(first, at: 32)
            raw.put(UInt16(LedgerEvent.size + padding), at: 40)
            if isComplete, version >= 2 { raw.put(1 as UInt8, at: 42) }
        }
        buffer.append(count: events.count)
        for event in events { buffer.append(event, version: version, padding: padding) }
        buffer.finish()
    }

    public init(decoding frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        var reader = try FrameReader(frame, header, .record)
        self.init(first: frame.u64(at: 32), events: [])
        let length = Int(frame.u16(at: 40))
        guard length >= LedgerEvent.size else {
            throw WireError(.blockTooShort, offset: 40, needed: LedgerEvent.size, found: length)
        }
        if header.version >= 2 {
            let flag = frame[42]
            guard flag <= 1 else { throw WireError(.invalidValue, offset: 42, needed: 1, found: UInt64(flag)) }
            isComplete = flag == 1
            try frame.reserved(at: 43, count: 5)
        } else {
            try frame.reserved(at: 42, count: 6)
        }
        let hasLabels = header.version >= 2
        let count = try reader.count(frame, stride: length + (hasLabels ? 16 : 12), limit: WireLimits.events)
        events.reserveCapacity(count)
        for _ in 0..<count {
            var event = try LedgerEvent(
                frame, at: try reader.take(length), &reader, names: events.last, version: header.version)
            if hasLabels { try reader.string(frame, into: &event.label, limit: WireLimits.labelBytes) }
            events.append(event)
        }
        try reader.finish()
    }
}

extension LedgerEvent {
    /// Encoded size of the fixed fields in bytes.
    static let size = 80

    /// - Parameter names: tenant, model and worker of the event before, whose strings are used again where they are
    ///   the same.
    fileprivate init(
        _ frame: Span<UInt8>, at base: Int, _ reader: inout FrameReader, names: LedgerEvent?, version: UInt8
    ) throws(WireError) {
        let fields = frame.extracting(base..<(base + Self.size))
        self.init(
            kind: try fields.value(at: 70, from: base),
            requestID: RequestID(high: fields.u64(at: 0), low: fields.u64(at: 8)),
            ingestAttempt: fields.u16(at: 64), tokenizerAttempt: fields.u16(at: 66),
            producerRole: try fields.value(at: 71, from: base), producer: fields.u64(at: 16),
            outcome: try fields.value(at: 72, from: base),
            status: try fields.status(at: 68, from: base, version: version),
            promptTokens: fields.u32(at: 40), cachedTokens: fields.u32(at: 44),
            producedTokens: fields.u32(at: 48), deliveredTokens: fields.u32(at: 52),
            tokensAfterCancel: fields.u32(at: 56), maximumTokens: fields.u32(at: 60),
            microjoules: Int64(bitPattern: fields.u64(at: 32)), energySource: fields[73],
            wallTime: fields.u64(at: 24), tenant: names?.tenant ?? "", model: names?.model ?? "",
            worker: names?.worker ?? "")
        guard energySource <= 2 else {
            throw WireError(.invalidValue, offset: base + 73, needed: 2, found: UInt64(energySource))
        }
        try fields.reserved(at: 74, count: 6, from: base)
        try reader.string(frame, into: &tenant)
        try reader.string(frame, into: &model)
        try reader.string(frame, into: &worker)
    }
}

extension FrameBuffer {
    fileprivate mutating func append(_ event: LedgerEvent, version: UInt8, padding: Int) {
        append(byteCount: LedgerEvent.size) { raw in
            raw.put(event.requestID.high, at: 0)
            raw.put(event.requestID.low, at: 8)
            raw.put(event.producer, at: 16)
            raw.put(event.wallTime, at: 24)
            raw.put(event.microjoules, at: 32)
            raw.put(event.promptTokens, at: 40)
            raw.put(event.cachedTokens, at: 44)
            raw.put(event.producedTokens, at: 48)
            raw.put(event.deliveredTokens, at: 52)
            raw.put(event.tokensAfterCancel, at: 56)
            raw.put(event.maximumTokens, at: 60)
            raw.put(event.ingestAttempt, at: 64)
            raw.put(event.tokenizerAttempt, at: 66)
            raw.put(event.status.written(in: version).rawValue, at: 68)
            raw.put(event.kind.rawValue, at: 70)
            raw.put(event.producerRole.rawValue, at: 71)
            // Six reserved bytes follow.
            raw.put(UInt64(event.outcome.rawValue) | UInt64(event.energySource) << 8, at: 72)
        }
        for _ in 0..<padding { append(byteCount: 1) { $0.put(0 as UInt8, at: 0) } }
        append(event.tenant)
        append(event.model)
        append(event.worker)
        if version >= 2 { append(event.label) }
    }
}

extension Claim {
    /// Writes the frame. Tenant and key are at most `WireLimits.nameBytes`: the receiver refuses more.
    public func encode(into buffer: inout FrameBuffer, session: UInt32, sequence: UInt64 = 0, sentAt: UInt64 = 0) {
        buffer.begin(FrameKind.claim.header(session: session, sequence: sequence, sentAt: sentAt)) { raw in
            raw.put(number, at: 32)
            raw.put(requestID.high, at: 40)
            raw.put(requestID.low, at: 48)
            raw.put(bodyDigest.words.0, at: 56)
            raw.put(bodyDigest.words.1, at: 64)
            raw.put(bodyDigest.words.2, at: 72)
            raw.put(bodyDigest.words.3, at: 80)
        }
        buffer.append(tenant)
        buffer.append(key)
        buffer.finish()
    }

    public init(decoding frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        var reader = try FrameReader(frame, header, .claim)
        self.init(
            number: frame.u64(at: 32), requestID: RequestID(high: frame.u64(at: 40), low: frame.u64(at: 48)),
            bodyDigest: BodyDigest(
                frame.u64(at: 56), frame.u64(at: 64), frame.u64(at: 72), frame.u64(at: 80)),
            tenant: "", key: "")
        try frame.reserved(at: 88, count: 8)
        try reader.string(frame, into: &tenant)
        try reader.string(frame, into: &key)
        try reader.finish()
    }
}

extension ClaimAnswer {
    public func encode(into buffer: inout FrameBuffer, session: UInt32, sequence: UInt64 = 0, sentAt: UInt64 = 0) {
        buffer.begin(FrameKind.claimAnswer.header(session: session, sequence: sequence, sentAt: sentAt)) { raw in
            raw.put(number, at: 32)
            raw.put(requestID.high, at: 40)
            raw.put(requestID.low, at: 48)
            raw.put(outcome.rawValue, at: 56)
            raw.put(finish.rawValue, at: 57)
            raw.put(deliveredTokens, at: 64)
        }
        buffer.finish()
    }

    public init(decoding frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        let reader = try FrameReader(frame, header, .claimAnswer)
        self.init(
            number: frame.u64(at: 32), requestID: RequestID(high: frame.u64(at: 40), low: frame.u64(at: 48)),
            outcome: try frame.value(at: 56), finish: try frame.value(at: 57), deliveredTokens: frame.u32(at: 64))
        try frame.reserved(at: 58, count: 6)
        try frame.reserved(at: 68, count: 4)
        try reader.finish()
    }
}
