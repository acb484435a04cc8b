import Wire

/// Counts the bytes that MessagePack's shortest form of values takes, after its specification; encodes nothing.
struct MessagePackSize {
    private(set) var bytes = 0

    mutating func unsigned(_ value: some BinaryInteger) {
        switch UInt64(clamping: value) {
        case 0..<128: bytes += 1
        case ...0xff: bytes += 2
        case ...0xffff: bytes += 3
        case ...0xffff_ffff: bytes += 5
        default: bytes += 9
        }
    }

    mutating func float() { bytes += 5 }

    mutating func boolean() { bytes += 1 }

    mutating func array(_ count: Int) { bytes += count < 16 ? 1 : count <= 0xffff ? 3 : 5 }

    mutating func string(_ string: String) {
        let count = string.utf8.count
        bytes += count + (count < 32 ? 1 : count <= 0xff ? 2 : count <= 0xffff ? 3 : 5)
    }

    mutating func binary(_ count: Int) { bytes += count + (count <= 0xff ? 2 : count <= 0xffff ? 3 : 5) }

    mutating func numbers(_ values: [UInt32]) {
        array(values.count)
        for value in values { unsigned(value) }
    }

    /// The frame header's three numbers.
    private mutating func header() {
        unsigned(Samples.session)
        unsigned(1)
        unsigned(Samples.sentAt)
    }

    private mutating func requestID(_ id: RequestID) {
        unsigned(id.high)
        unsigned(id.low)
    }

    static func of(_ message: Generate) -> Int {
        var size = MessagePackSize()
        size.array(16)
        size.header()
        size.unsigned(message.handle)
        size.requestID(message.requestID)
        size.unsigned(message.ingestAttempt)
        size.unsigned(message.tokenizerAttempt)
        size.unsigned(message.digest)
        size.unsigned(message.generatedCount)
        size.array(8)
        size.unsigned(message.sampling.seed)
        size.unsigned(message.sampling.topK)
        for _ in 0..<6 { size.float() }
        size.array(3)
        size.unsigned(message.limits.maximumTokens)
        size.unsigned(message.limits.minimumTokens)
        size.boolean()
        size.boolean()
        size.string(message.tenant)
        size.string(message.model)
        size.numbers(message.tokens)
        return size.bytes
    }

    static func of(_ message: TokenBatch) -> Int {
        var size = MessagePackSize()
        size.array(6)
        size.header()
        size.unsigned(message.tray)
        size.array(message.rows.count)
        for row in message.rows {
            size.array(7)
            size.unsigned(row.handle)
            size.unsigned(row.tokenCount)
            size.unsigned(row.finish.rawValue)
            size.unsigned(row.status.rawValue)
            size.unsigned(row.position)
            size.unsigned(row.cachedTokens)
            size.unsigned(row.digest)
        }
        size.numbers(message.tokens)
        return size.bytes
    }

    static func of(_ message: TextBatch) -> Int {
        var size = MessagePackSize()
        size.array(7)
        size.header()
        size.unsigned(message.tray)
        size.array(message.rows.count)
        for row in message.rows {
            size.array(8)
            size.unsigned(row.handle)
            size.unsigned(row.tokenCount)
            size.unsigned(row.finish.rawValue)
            size.unsigned(row.status.rawValue)
            size.unsigned(row.position)
            size.unsigned(row.textLength)
            size.unsigned(row.promptTokens)
            size.unsigned(row.cachedTokens)
        }
        size.numbers(message.tokens)
        size.binary(message.text.count)
        return size.bytes
    }

    static func of(_ message: RecordBatch) -> Int {
        var size = MessagePackSize()
        size.array(5)
        size.header()
        size.unsigned(message.first)
        size.array(message.events.count)
        for event in message.events {
            size.array(21)
            size.unsigned(event.kind.rawValue)
            size.requestID(event.requestID)
            size.unsigned(event.ingestAttempt)
            size.unsigned(event.tokenizerAttempt)
            size.unsigned(event.producerRole.rawValue)
            size.unsigned(event.producer)
            size.unsigned(event.outcome.rawValue)
            size.unsigned(event.status.rawValue)
            for count in [
                event.promptTokens, event.cachedTokens, event.producedTokens, event.deliveredTokens,
                event.tokensAfterCancel, event.maximumTokens,
            ] { size.unsigned(count) }
            size.unsigned(event.microjoules)
            size.unsigned(event.energySource)
            size.unsigned(event.wallTime)
            size.string(event.tenant)
            size.string(event.model)
            size.string(event.worker)
        }
        return size.bytes
    }
}
