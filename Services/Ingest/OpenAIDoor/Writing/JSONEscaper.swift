import NIOCore

/// Writes UTF-8 that comes in pieces as the inside of a JSON string.
///
/// A character that a piece ends in the middle of waits for the next piece; bytes that are no UTF-8 become U+FFFD each.
struct JSONEscaper {
    /// Of a character not yet complete: at most 3 bytes.
    private var rest: [UInt8] = []

    /// Whether half a character waits.
    var hasRest: Bool { !rest.isEmpty }

    /// Appends `text`, escaped, without quotation marks.
    ///
    /// - Parameter isLast: Half a character at the end is an error of its own, not the start of the next piece.
    mutating func append(_ text: [UInt8], isLast: Bool, to buffer: inout ByteBuffer) {
        if rest.isEmpty {
            append(whole: text, isLast: isLast, to: &buffer)
        } else {
            let joined = rest + text
            rest.removeAll(keepingCapacity: true)
            append(whole: joined, isLast: isLast, to: &buffer)
        }
    }

    private mutating func append(whole text: [UInt8], isLast: Bool, to buffer: inout ByteBuffer) {
        var start = 0
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte < 0x80 {
                if byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
                    index += 1
                    continue
                }
                buffer.writeBytes(text[start..<index])
                Self.writeEscape(of: byte, to: &buffer)
                index += 1
                start = index
                continue
            }
            switch Self.character(at: index, in: text) {
            case .complete(let length):
                index += length
            case .cut where !isLast:
                buffer.writeBytes(text[start..<index])
                rest.append(contentsOf: text[index...])
                return
            case .cut, .invalid:
                buffer.writeBytes(text[start..<index])
                buffer.writeStaticString("\u{fffd}")
                index += 1
                start = index
            }
        }
        buffer.writeBytes(text[start...])
    }

    private enum Found {
        case complete(Int)
        case cut
        case invalid
    }

    /// Well-formed UTF-8 byte sequences: The Unicode Standard, table 3-7.
    private static func character(at index: Int, in text: [UInt8]) -> Found {
        let lead = text[index]
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xbf
        switch lead {
        case 0xc2...0xdf: length = 2
        case 0xe0: (length, second) = (3, 0xa0...0xbf)
        case 0xed: (length, second) = (3, 0x80...0x9f)
        case 0xe1...0xef: length = 3
        case 0xf0: (length, second) = (4, 0x90...0xbf)
        case 0xf4: (length, second) = (4, 0x80...0x8f)
        case 0xf1...0xf3: length = 4
        default: return .invalid
        }
        for offset in 1..<length {
            guard index + offset < text.count else { return .cut }
            let allowed = offset == 1 ? second : 0x80...0xbf
            guard allowed.contains(text[index + offset]) else { return .invalid }
        }
        return .complete(length)
    }

    private static func writeEscape(of byte: UInt8, to buffer: inout ByteBuffer) {
        switch byte {
        case UInt8(ascii: "\""): buffer.writeStaticString("\\\"")
        case UInt8(ascii: "\\"): buffer.writeStaticString("\\\\")
        case 0x08: buffer.writeStaticString("\\b")
        case 0x09: buffer.writeStaticString("\\t")
        case 0x0a: buffer.writeStaticString("\\n")
        case 0x0c: buffer.writeStaticString("\\f")
        case 0x0d: buffer.writeStaticString("\\r")
        default:
            buffer.writeStaticString("\\u00")
            buffer.writeInteger(UInt8(ascii: "0") + (byte >> 4))
            let low = byte & 0x0f
            buffer.writeInteger(low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10)
        }
    }
}

extension ByteBuffer {
    /// Writes a JSON string literal.
    mutating func writeJSONString(_ text: String) {
        writeInteger(UInt8(ascii: "\""))
        var escaper = JSONEscaper()
        escaper.append(Array(text.utf8), isLast: true, to: &self)
        writeInteger(UInt8(ascii: "\""))
    }

    mutating func writeJSONString(_ text: String?) {
        if let text { writeJSONString(text) } else { writeStaticString("null") }
    }

    /// Writes a number in decimal digits, without making a string of it if it is small.
    mutating func writeDecimal(_ number: some BinaryInteger) {
        guard let number = UInt32(exactly: number) else {
            writeString("\(number)")
            return
        }
        var divisor: UInt32 = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            writeInteger(UInt8(truncatingIfNeeded: number / divisor % 10) + UInt8(ascii: "0"))
            divisor /= 10
        }
    }
}
