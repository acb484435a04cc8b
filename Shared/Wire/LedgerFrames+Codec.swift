extension RecordBatch {
    /// Writes the frame. The caller keeps to `WireLimits.events` and `nameBytes`: the receiver refuses more.
    public func encode(into buffer: inout FrameBuffer, session: UInt32, sequence: UInt64 = 0, sentAt: UInt64 = 0) {
        buffer.begin(FrameKind.record.header(session: session, sequence: sequence, sentAt: sentAt)) { raw in
            raw.put(first, at: 32)
            raw.put(UInt16(LedgerEvent.size), at: 40)
        }
        buffer.append(count: events.count)
        for event in events { buffer.append(event) }
        buffer.finish()
    }

    public init(decoding frame: Span<UInt8>, header: FrameHeader) throws(WireError) {
        var reader = try FrameReader(frame, header, .record)
        self.init(first: frame.u64(at: 32), events: [])
        let length = Int(frame.u16(at: 40))
        guard length >= LedgerEvent.size else {
            throw WireError(.blockTooShort, offset: 40, needed: LedgerEvent.size, found: length)
        }
        try frame.reserved(at: 42, count: 6)
        let count = try reader.count(frame, stride: length + 12, limit: WireLimits.events)
        events.reserveCapacity(count)
        for _ in 0..<count {
            events.append(try LedgerEvent(frame, at: try reader.take(length), &reader))
        }
        try reader.finish()
    }
}

extension LedgerEvent {
    /// Encoded size of the fixed fields in bytes.
    static let size = 80

    fileprivate init(_ frame: Span<UInt8>, at base: Int, _ reader: inout FrameReader) throws(WireError) {
        self.init(
            kind: try frame.value(at: base + 70),
            requestID: RequestID(high: frame.u64(at: base), low: frame.u64(at: base + 8)),
            ingestAttempt: frame.u16(at: base + 64), tokenizerAttempt: frame.u16(at: base + 66),
            producerRole: try frame.value(at: base + 71), producer: frame.u64(at: base + 16),
            outcome: try frame.value(at: base + 72), status: try frame.value(at: base + 68),
            promptTokens: frame.u32(at: base + 40), cachedTokens: frame.u32(at: base + 44),
            producedTokens: frame.u32(at: base + 48), deliveredTokens: frame.u32(at: base + 52),
            tokensAfterCancel: frame.u32(at: base + 56), maximumTokens: frame.u32(at: base + 60),
            microjoules: Int64(bitPattern: frame.u64(at: base + 32)), energySource: frame[base + 73],
            wallTime: frame.u64(at: base + 24), tenant: "", model: "", worker: "")
        guard energySource <= 2 else {
            throw WireError(.invalidValue, offset: base + 73, needed: 2, found: UInt64(energySource))
        }
        try frame.reserved(at: base + 74, count: 6)
        try reader.string(frame, into: &tenant)
        try reader.string(frame, into: &model)
        try reader.string(frame, into: &worker)
    }
}

extension FrameBuffer {
    fileprivate mutating func append(_ event: LedgerEvent) {
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
            raw.put(event.status.rawValue, at: 68)
            raw.put(event.kind.rawValue, at: 70)
            raw.put(event.producerRole.rawValue, at: 71)
            raw.put(event.outcome.rawValue, at: 72)
            raw.put(event.energySource, at: 73)
        }
        append(event.tenant)
        append(event.model)
        append(event.worker)
    }
}
