package import Foundation

/// Appends little-endian fields.
package struct ByteWriter {
    package private(set) var bytes: [UInt8] = []

    package init(capacity: Int) { bytes.reserveCapacity(capacity) }

    package mutating func put<Value: FixedWidthInteger>(_ value: Value) {
        var rest = value
        for _ in 0..<(Value.bitWidth / 8) {
            bytes.append(UInt8(truncatingIfNeeded: rest))
            if Value.bitWidth > 8 { rest >>= 8 }
        }
    }

    /// Names are at most `WireLimits.nameBytes`; what is longer than its length can say is cut, and then does not decode.
    package mutating func put(_ text: String) {
        put(UInt32(clamping: text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    package mutating func put(raw: some Sequence<UInt8>) { bytes.append(contentsOf: raw) }
}

/// Reads what `ByteWriter` wrote; nil from any reader means that the bytes are not of that form.
package struct ByteReader {
    private let bytes: [UInt8]
    private var offset = 0

    package init(_ data: Data) { bytes = [UInt8](data) }

    package var isAtEnd: Bool { offset == bytes.count }

    package mutating func take<Value: FixedWidthInteger & UnsignedInteger>(_: Value.Type) -> Value? {
        let size = Value.bitWidth / 8
        guard bytes.count - offset >= size else { return nil }
        var value: Value = 0
        for index in (0..<size).reversed() {
            value = (Value.bitWidth > 8 ? value << 8 : 0) | Value(bytes[offset + index])
        }
        offset += size
        return value
    }

    package mutating func takeString() -> String? {
        guard let count = take(UInt32.self), Int(count) <= bytes.count - offset else { return nil }
        defer { offset += Int(count) }
        return String(validating: bytes[offset..<offset + Int(count)], as: UTF8.self)
    }
}
