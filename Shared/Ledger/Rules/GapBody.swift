package import Foundation

/// The body of a row that notes numbers that never came.
package enum GapBody {
    package static func encode(_ gap: RecordGap) -> Data {
        var writer = ByteWriter(capacity: 24)
        writer.put(gap.producer)
        writer.put(gap.numbers.lowerBound)
        writer.put(gap.numbers.upperBound)
        return Data(writer.bytes)
    }

    package static func decode(_ data: Data) -> RecordGap? {
        var reader = ByteReader(data)
        guard let producer = reader.take(UInt64.self), let low = reader.take(UInt64.self),
            let high = reader.take(UInt64.self), low <= high, reader.isAtEnd
        else { return nil }
        return RecordGap(producer: producer, numbers: low...high)
    }
}
