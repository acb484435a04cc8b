/// A JSON text to be written; objects keep their order.
indirect enum JSON: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral {
    case null
    case boolean(Bool)
    case integer(Int)
    case string(String)
    case array([JSON])
    case object([(String, JSON)])

    init(stringLiteral value: String) { self = .string(value) }
    init(booleanLiteral value: Bool) { self = .boolean(value) }

    var text: String {
        var utf8: [UInt8] = []
        write(to: &utf8)
        return String(decoding: utf8, as: UTF8.self)
    }

    private func write(to utf8: inout [UInt8]) {
        switch self {
        case .null: utf8 += "null".utf8
        case .boolean(let value): utf8 += (value ? "true" : "false").utf8
        case .integer(let value): utf8 += String(value).utf8
        case .string(let value): Self.write(value, to: &utf8)
        case .array(let elements):
            utf8.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { utf8.append(UInt8(ascii: ",")) }
                element.write(to: &utf8)
            }
            utf8.append(UInt8(ascii: "]"))
        case .object(let members):
            utf8.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { utf8.append(UInt8(ascii: ",")) }
                Self.write(member.0, to: &utf8)
                utf8.append(UInt8(ascii: ":"))
                member.1.write(to: &utf8)
            }
            utf8.append(UInt8(ascii: "}"))
        }
    }

    private static func write(_ string: String, to utf8: inout [UInt8]) {
        utf8.append(UInt8(ascii: "\""))
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): utf8 += [UInt8(ascii: "\\"), byte]
            case 0..<0x20:
                let digits = String(byte, radix: 16)
                utf8 += "\\u00".utf8
                if digits.utf8.count == 1 { utf8.append(UInt8(ascii: "0")) }
                utf8 += digits.utf8
            default: utf8.append(byte)
            }
        }
        utf8.append(UInt8(ascii: "\""))
    }
}
