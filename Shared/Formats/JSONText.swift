/// Strings as JSON writes them: RFC 8259, section 7.
public enum JSONText {
    /// Appends a string literal's UTF-8: quotation marks, and an escape where the standard demands one.
    public static func append(_ text: some StringProtocol, to utf8: inout [UInt8]) {
        utf8.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                utf8.append(UInt8(ascii: "\\"))
                utf8.append(byte)
            case 0..<0x20:
                utf8.append(contentsOf: "\\u00".utf8)
                Hexadecimal.append(byte, to: &utf8)
            default: utf8.append(byte)
            }
        }
        utf8.append(UInt8(ascii: "\""))
    }

    /// A string literal.
    public static func literal(_ text: some StringProtocol) -> String {
        var utf8: [UInt8] = []
        utf8.reserveCapacity(text.utf8.count + 2)
        append(text, to: &utf8)
        return String(decoding: utf8, as: UTF8.self)
    }
}
