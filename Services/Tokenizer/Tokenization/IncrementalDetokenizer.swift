/// Turns a stream of bytes into UTF-8 text, whole characters only.
///
/// Bytes that begin a character are held until its last byte comes. Bytes that can no longer become a character are
/// replaced by U+FFFD, one for each maximal subpart (Unicode 16, section 3.9, "U+FFFD Substitution of Maximal
/// Subparts"), which is what Python's `errors="replace"` does. So the output does not depend on how the bytes were cut.
public struct IncrementalDetokenizer: Equatable, Sendable {
    /// The bytes of the character that is not whole yet, first in the lowest 8 bits.
    private var pending: UInt32 = 0
    private var pendingCount: UInt8 = 0
    private var missing: UInt8 = 0
    /// What the next byte must lie in.
    private var lowest: UInt8 = 0x80
    private var highest: UInt8 = 0xBF

    public init() {}

    /// Whether the bytes so far end inside a character.
    public var isInsideCharacter: Bool { missing > 0 }

    /// Takes bytes, and appends to `text` what became whole.
    public mutating func push(_ bytes: Span<UInt8>, into text: inout [UInt8]) {
        for index in bytes.indices { push(bytes[index], into: &text) }
    }

    /// Ends the stream: a character that is not whole becomes U+FFFD. Afterwards the value is as new.
    public mutating func flush(into text: inout [UInt8]) {
        if missing > 0 { Self.appendReplacement(to: &text) }
        self = IncrementalDetokenizer()
    }

    private mutating func push(_ byte: UInt8, into text: inout [UInt8]) {
        if missing > 0 {
            if byte >= lowest && byte <= highest {
                pending |= UInt32(byte) << (8 * UInt32(pendingCount))
                pendingCount += 1
                missing -= 1
                lowest = 0x80
                highest = 0xBF
                if missing == 0 { appendPending(to: &text) }
                return
            }
            Self.appendReplacement(to: &text)
            self = IncrementalDetokenizer()
        }
        begin(byte, into: &text)
    }

    /// The ranges of second bytes are those of the Unicode Standard's table 3-7.
    private mutating func begin(_ byte: UInt8, into text: inout [UInt8]) {
        switch byte {
        case 0x00...0x7F:
            text.append(byte)
            return
        case 0xC2...0xDF: missing = 1
        case 0xE0...0xEF: missing = 2
        case 0xF0...0xF4: missing = 3
        default:
            Self.appendReplacement(to: &text)
            return
        }
        switch byte {
        case 0xE0: lowest = 0xA0
        case 0xED: highest = 0x9F
        case 0xF0: lowest = 0x90
        case 0xF4: highest = 0x8F
        default: break
        }
        pending = UInt32(byte)
        pendingCount = 1
    }

    private mutating func appendPending(to text: inout [UInt8]) {
        for index in 0..<UInt32(pendingCount) {
            text.append(UInt8(truncatingIfNeeded: pending >> (8 * index)))
        }
        pending = 0
        pendingCount = 0
    }

    private static func appendReplacement(to text: inout [UInt8]) {
        text.append(0xEF)
        text.append(0xBF)
        text.append(0xBD)
    }
}
