package import Foundation
package import Wire

/// The ledger's own encoding of an event: it stays as it is when the wire's changes, so that a replay of the same
/// event has the same body for ever.
package enum EventBody {
    /// The form of events without a label.
    private static let plain: UInt8 = 1
    /// The same with a label behind it.
    private static let labelled: UInt8 = 2

    package static func encode(_ event: LedgerEvent) -> Data {
        var writer = ByteWriter(capacity: 128)
        writer.put(event.label.isEmpty ? plain : labelled)
        writer.put(event.kind.rawValue)
        writer.put(event.requestID.high)
        writer.put(event.requestID.low)
        writer.put(event.ingestAttempt)
        writer.put(event.tokenizerAttempt)
        writer.put(event.producerRole.rawValue)
        writer.put(event.producer)
        writer.put(event.outcome.rawValue)
        writer.put(event.status.rawValue)
        writer.put(event.promptTokens)
        writer.put(event.cachedTokens)
        writer.put(event.producedTokens)
        writer.put(event.deliveredTokens)
        writer.put(event.tokensAfterCancel)
        writer.put(event.maximumTokens)
        writer.put(UInt64(bitPattern: event.microjoules))
        writer.put(event.energySource)
        writer.put(event.wallTime)
        writer.put(event.tenant)
        writer.put(event.model)
        writer.put(event.worker)
        if !event.label.isEmpty { writer.put(event.label) }
        return Data(writer.bytes)
    }

    /// Whether both say the same but for a label that a link of an older version could not carry.
    package static func isSame(_ body: Data, _ other: Data) -> Bool {
        guard body != other else { return true }
        guard body.first != other.first, var event = decode(body), var second = decode(other) else { return false }
        event.label = ""
        second.label = ""
        return event == second
    }

    /// Nil when the bytes are not a body.
    package static func decode(_ data: Data) -> LedgerEvent? {
        var reader = ByteReader(data)
        guard let version = reader.take(UInt8.self), version == plain || version == labelled,
            let kind = reader.take(UInt8.self).flatMap(EventKind.init(rawValue:)),
            let high = reader.take(UInt64.self), let low = reader.take(UInt64.self),
            let ingestAttempt = reader.take(UInt16.self), let tokenizerAttempt = reader.take(UInt16.self),
            let role = reader.take(UInt8.self).flatMap(StationRole.init(rawValue:)),
            let producer = reader.take(UInt64.self),
            let outcome = reader.take(UInt8.self).flatMap(FinishReason.init(rawValue:)),
            let status = reader.take(UInt16.self).flatMap(Status.init(rawValue:)),
            let prompt = reader.take(UInt32.self), let cached = reader.take(UInt32.self),
            let produced = reader.take(UInt32.self), let delivered = reader.take(UInt32.self),
            let afterCancel = reader.take(UInt32.self), let maximum = reader.take(UInt32.self),
            let microjoules = reader.take(UInt64.self), let source = reader.take(UInt8.self),
            let wallTime = reader.take(UInt64.self),
            let tenant = reader.takeString(), let model = reader.takeString(), let worker = reader.takeString(),
            let label = version == labelled ? reader.takeString() : "", reader.isAtEnd
        else { return nil }
        var event = LedgerEvent(
            kind: kind, requestID: RequestID(high: high, low: low), ingestAttempt: ingestAttempt,
            tokenizerAttempt: tokenizerAttempt, producerRole: role, producer: producer, outcome: outcome,
            status: status, promptTokens: prompt, cachedTokens: cached, producedTokens: produced,
            deliveredTokens: delivered, tokensAfterCancel: afterCancel, maximumTokens: maximum,
            microjoules: Int64(bitPattern: microjoules), energySource: source, wallTime: wallTime, tenant: tenant,
            model: model, worker: worker)
        event.label = label
        return event
    }
}

/// The body of a refused row: the reason, then the event.
package enum RefusedBody {
    package static func encode(_ reason: ConflictReason, event body: Data) -> Data { Data([reason.rawValue]) + body }

    package static func decode(_ data: Data) -> (reason: ConflictReason, event: LedgerEvent, body: Data)? {
        guard let reason = data.first.flatMap(ConflictReason.init(rawValue:)) else { return nil }
        let body = Data(data.dropFirst())
        guard let event = EventBody.decode(body) else { return nil }
        return (reason, event, body)
    }
}

/// The names of rows: a request's begin with its key, so that they stand together in the index.
package enum EntryName {
    /// Request id and tenant.
    package static func key(requestID: RequestID, tenant: String) -> Data {
        var writer = ByteWriter(capacity: 40)
        writer.put(requestID.high.byteSwapped)
        writer.put(requestID.low.byteSwapped)
        writer.put(tenant)
        return Data(writer.bytes)
    }

    /// Key, kind, ingest attempt, tokenizer attempt, producer.
    package static func event(_ event: LedgerEvent, key: Data) -> Data {
        var writer = ByteWriter(capacity: key.count + 13)
        writer.put(raw: key)
        writer.put(event.kind.rawValue)
        writer.put(event.ingestAttempt)
        writer.put(event.tokenizerAttempt)
        writer.put(event.producer)
        return Data(writer.bytes)
    }

    /// The one expiry of a request.
    package static func expired(key: Data) -> Data { key + [EntryKind.expired.rawValue] }

    /// The one return of a request that had expired.
    package static func reopened(key: Data) -> Data { key + [EntryKind.reopened.rawValue] }

    /// A refused event's name holds its body's hash, so that it is kept once.
    package static func refused(event: Data, bodyHash: Data) -> Data { event + [EntryKind.refused.rawValue] + bodyHash }

    /// A conflict's name holds its body's hash, so that the same conflict is kept once.
    package static func conflict(event: Data, bodyHash: Data) -> Data {
        event + [EntryKind.conflict.rawValue] + bodyHash
    }

    /// Names of the ledger's own rows that belong to no request: kind and row number.
    package static func own(_ kind: EntryKind, sequence: Int64) -> Data {
        var writer = ByteWriter(capacity: 9)
        writer.put(kind.rawValue)
        writer.put(sequence)
        return Data(writer.bytes)
    }
}
