/// Lower-case hexadecimal digits, two for each byte.
public enum Hexadecimal {
    static func append(_ byte: UInt8, to utf8: inout [UInt8]) {
        for digit in [byte >> 4, byte & 15] { utf8.append(digit + (digit < 10 ? UInt8(ascii: "0") : 0x57)) }
    }

    /// The digits of bytes, the first byte first.
    public static func text(_ bytes: some Sequence<UInt8>) -> String {
        var utf8: [UInt8] = []
        for byte in bytes { append(byte, to: &utf8) }
        return String(decoding: utf8, as: UTF8.self)
    }

    /// The sixteen digits of a number, leading zeros among them.
    public static func text(_ number: UInt64) -> String {
        text((0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64(56 - 8 * $0)) })
    }
}
