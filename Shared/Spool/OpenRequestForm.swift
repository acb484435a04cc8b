import Foundation
import Wire

/// Forms on disk of the open requests. A header of one page: `TFOPEN01`, the owner's epoch, the length and bytes of its
/// name, CRC-32 of these; at 512 the number of the last event in the spool. Then places of 576 bytes: state (1 for an
/// open request), tokens delivered, of the prompt, of it cached, attempt, bound of tokens, the request's id in two
/// words, lengths of the tenant's and the model's names, and the names. All little-endian.
enum OpenRequestForm {
    static let headerSize = 4096
    static let lastOffset = 512
    static let placeSize = 576
    static let blockPlaces = 256
    static let blockSize = placeSize * blockPlaces
    static let stateOffset = 0
    static let deliveredOffset = 4
    static let promptOffset = 8
    static let cachedOffset = 12
    static let attemptOffset = 16
    private static let nameOffset = 42
    private static let checkOffset = 272
    private static let magic = Array("TFOPEN01".utf8)

    static func header(epoch: UInt64, worker: String) -> [UInt8] {
        var bytes = magic
        bytes.append(little: epoch)
        let name = worker.utf8.prefix(WireLimits.nameBytes)
        bytes.append(UInt8(truncatingIfNeeded: name.count))
        bytes += name
        bytes += [UInt8](repeating: 0, count: checkOffset - bytes.count)
        bytes.append(little: Checksum.of(bytes))
        return bytes
    }

    /// Writes a place's fields behind its state; a request costs no allocation.
    static func write(_ event: LedgerEvent, at place: Int, to bytes: borrowing MappedBytes) {
        bytes.publish(event.deliveredTokens, at: place + deliveredOffset)
        bytes.publish(event.promptTokens, at: place + promptOffset)
        bytes.publish(event.cachedTokens, at: place + cachedOffset)
        bytes.publish(UInt32(event.ingestAttempt), at: place + attemptOffset)
        bytes.publish(event.maximumTokens, at: place + 20)
        bytes.publish(event.requestID.high, at: place + 24)
        bytes.publish(event.requestID.low, at: place + 32)
        let tenant = bytes.write(event.tenant, limit: WireLimits.nameBytes, at: place + nameOffset)
        let model = bytes.write(event.model, limit: WireLimits.nameBytes, at: place + nameOffset + tenant)
        bytes.publish(UInt16(clamping: tenant) | UInt16(clamping: model) << 8, at: place + 40)
    }

    /// What a file tells of its owner and of the requests that were open when it died.
    struct Contents {
        var epoch: UInt64
        /// Number of the last event in the spool, as far as it was noted.
        var last: UInt64
        /// The ends that the requests are to have.
        var ends: [LedgerEvent]
    }

    /// Reads a file; nil when it is none, or its owner died while it made it.
    static func read(path: String) throws(SpoolError) -> Contents? {
        let bytes: Data
        do {
            bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            guard FileManager.default.fileExists(atPath: path) else { return nil }
            throw .wrapping(error, "read", path)
        }
        guard bytes.count >= headerSize, bytes.prefix(8).elementsEqual(magic),
            Checksum.of(bytes.prefix(checkOffset)) == bytes.little(checkOffset, UInt32.self)
        else { return nil }
        let epoch = bytes.little(8, UInt64.self)
        let worker = String(decoding: bytes[17..<17 + Int(bytes[16])], as: UTF8.self)
        var contents = Contents(epoch: epoch, last: bytes.little(lastOffset, UInt64.self), ends: [])
        var start = headerSize
        while start + placeSize <= bytes.count {
            if bytes.little(start, UInt32.self) == 1,
                let end = end(in: bytes[start..<start + placeSize], epoch: epoch, worker: worker)
            {
                contents.ends.append(end)
            }
            start += placeSize
        }
        return contents
    }

    /// What was delivered is settled; a request of which the client got nothing is void.
    private static func end(in place: Data, epoch: UInt64, worker: String) -> LedgerEvent? {
        let base = place.startIndex
        let tenantEnd = base + nameOffset + Int(place[base + 40])
        let modelEnd = tenantEnd + Int(place[base + 41])
        guard modelEnd <= place.endIndex else { return nil }
        let delivered = place.little(base + deliveredOffset, UInt32.self)
        var event = LedgerEvent(
            kind: delivered > 0 ? .settle : .void,
            requestID: RequestID(
                high: place.little(base + 24, UInt64.self), low: place.little(base + 32, UInt64.self)),
            ingestAttempt: UInt16(truncatingIfNeeded: place.little(base + attemptOffset, UInt32.self)),
            producerRole: .ingest, producer: epoch, outcome: .lost,
            promptTokens: place.little(base + promptOffset, UInt32.self),
            cachedTokens: place.little(base + cachedOffset, UInt32.self), producedTokens: delivered,
            deliveredTokens: delivered, maximumTokens: place.little(base + 20, UInt32.self), wallTime: 0,
            tenant: String(decoding: place[base + nameOffset..<tenantEnd], as: UTF8.self),
            model: String(decoding: place[tenantEnd..<modelEnd], as: UTF8.self), worker: worker)
        event.status = .unavailable
        return event
    }
}
