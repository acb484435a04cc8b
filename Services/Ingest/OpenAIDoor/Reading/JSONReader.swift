/// A strict reader of JSON (RFC 8259) for requests from anybody: bounded depth and number of values, no duplicate
/// keys, no numbers beyond `Double`, only valid UTF-8 and paired surrogates.
struct JSONReader {
    /// Bounds of what is read.
    struct Limits: Sendable {
        /// Arrays and objects inside each other.
        var depth = 32
        /// Values in all; each costs some 24 bytes.
        var values = 1 << 20
        /// Members of one object.
        var members = 1024
    }

    /// Why a text is not acceptable JSON.
    struct Failure: Error, Equatable, CustomStringConvertible {
        /// Bytes from the start.
        var offset: Int
        var reason: String

        var description: String { "\(reason) at byte \(offset)" }
    }

    private let bytes: [UInt8]
    private let limits: Limits
    private var position = 0
    private var values = 0

    static func read(_ bytes: [UInt8], limits: Limits = Limits()) throws(Failure) -> JSONValue {
        var reader = JSONReader(bytes: bytes, limits: limits)
        let value = try reader.value(depth: 0)
        reader.skipBlanks()
        guard reader.position == bytes.count else { throw reader.failure("more after the end") }
        return value
    }

    private init(bytes: [UInt8], limits: Limits) {
        self.bytes = bytes
        self.limits = limits
    }

    private func failure(_ reason: String) -> Failure {
        Failure(offset: position, reason: reason)
    }

    private var current: UInt8? {
        position < bytes.count ? bytes[position] : nil
    }

    private mutating func skipBlanks() {
        while let byte = current, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
    }

    private mutating func value(depth: Int) throws(Failure) -> JSONValue {
        skipBlanks()
        values += 1
        guard values <= limits.values else { throw failure("more than \(limits.values) values") }
        switch current {
        case UInt8(ascii: "{"): return try object(depth: depth + 1)
        case UInt8(ascii: "["): return try array(depth: depth + 1)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case nil: throw failure("unexpected end")
        case let byte? where byte == UInt8(ascii: "-") || (0x30...0x39).contains(byte): return try number()
        default: throw failure("unexpected character")
        }
    }

    private mutating func word(_ text: StaticString, _ value: JSONValue) throws(Failure) -> JSONValue {
        for byte in text.description.utf8 {
            guard current == byte else { throw failure("unexpected character") }
            position += 1
        }
        return value
    }

    private mutating func array(depth: Int) throws(Failure) -> JSONValue {
        guard depth <= limits.depth else { throw failure("nested deeper than \(limits.depth)") }
        position += 1
        var elements: [JSONValue] = []
        skipBlanks()
        if current == UInt8(ascii: "]") {
            position += 1
            return .array(elements)
        }
        while true {
            elements.append(try value(depth: depth))
            skipBlanks()
            switch current {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "]"):
                position += 1
                return .array(elements)
            case nil: throw failure("unexpected end")
            default: throw failure("expected , or ]")
            }
        }
    }

    private mutating func object(depth: Int) throws(Failure) -> JSONValue {
        guard depth <= limits.depth else { throw failure("nested deeper than \(limits.depth)") }
        position += 1
        var members: [JSONValue.Member] = []
        var keys: Set<String> = []
        skipBlanks()
        if current == UInt8(ascii: "}") {
            position += 1
            return .object(members)
        }
        while true {
            skipBlanks()
            guard current == UInt8(ascii: "\"") else { throw failure("expected a key") }
            let key = try string()
            guard keys.insert(key).inserted else { throw failure("the same key again") }
            guard keys.count <= limits.members else { throw failure("more than \(limits.members) keys") }
            skipBlanks()
            guard current == UInt8(ascii: ":") else { throw failure("expected :") }
            position += 1
            members.append(.init(key: key, value: try value(depth: depth)))
            skipBlanks()
            switch current {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "}"):
                position += 1
                return .object(members)
            case nil: throw failure("unexpected end")
            default: throw failure("expected , or }")
            }
        }
    }

    private mutating func number() throws(Failure) -> JSONValue {
        let start = position
        var isWhole = true
        if current == UInt8(ascii: "-") { position += 1 }
        if current == UInt8(ascii: "0") {
            position += 1
        } else {
            try digits()
        }
        if current == UInt8(ascii: ".") {
            isWhole = false
            position += 1
            try digits()
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            isWhole = false
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
        // Longer than any number that a client means, and conversion takes time that grows with the length.
        guard position - start <= 400 else { throw failure("a number of more than 400 characters") }
        if isWhole, position - start <= 18, bytes[start] != UInt8(ascii: "-") {
            // It fits, and takes no text.
            return .integer(bytes[start..<position].reduce(0) { $0 * 10 + Int64($1 - 0x30) })
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isWhole {
            if let integer = Int64(text) { return .integer(integer) }
            guard let number = Double(text), number.isFinite else { throw failure("a number out of range") }
            return .large(text)
        }
        // 8.0 and 1e3 are whole, too, and are not rounded on the way.
        if let integer = Self.integer(text) { return .integer(integer) }
        guard let number = Double(text), number.isFinite else { throw failure("a number out of range") }
        return .number(number)
    }

    /// The value of a number with a fraction or an exponent, if it is whole and fits.
    private static func integer(_ text: String) -> Int64? {
        let parts = text.split(maxSplits: 1) { $0 == "e" || $0 == "E" }
        guard let mantissa = parts.first, let exponent = parts.count > 1 ? Int(parts[1]) : 0,
            abs(exponent) <= 400
        else { return nil }
        let point = mantissa.split(separator: ".", maxSplits: 1)
        guard let whole = point.first else { return nil }
        let fraction = point.count > 1 ? String(point[1]) : ""
        var digits = String(whole) + fraction
        var shift = exponent - fraction.utf8.count
        while shift < 0, digits.hasSuffix("0") {
            digits.removeLast()
            shift += 1
        }
        if digits.isEmpty || digits == "-" { return 0 }
        guard shift >= 0, shift <= 18, digits.utf8.count + shift <= 20 else { return nil }
        return Int64(digits + String(repeating: "0", count: shift))
    }

    private mutating func digits() throws(Failure) {
        let start = position
        while let byte = current, byte >= 0x30, byte <= 0x39 { position += 1 }
        guard position > start else { throw failure(current == nil ? "unexpected end" : "expected a digit") }
    }

    private mutating func string() throws(Failure) -> String {
        position += 1
        let start = position
        while let byte = current, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
        if current == UInt8(ascii: "\"") {
            defer { position += 1 }
            return try text(bytes[start..<position])
        }
        var unescaped = Array(bytes[start..<position])
        while true {
            switch current {
            case UInt8(ascii: "\""):
                defer { position += 1 }
                return try text(unescaped[...])
            case UInt8(ascii: "\\"):
                position += 1
                try escape(into: &unescaped)
            case nil: throw failure("unexpected end")
            case let byte? where byte < 0x20: throw failure("a control character in a string")
            case let byte?:
                unescaped.append(byte)
                position += 1
            }
        }
    }

    private func text(_ slice: ArraySlice<UInt8>) throws(Failure) -> String {
        guard let text = String(validating: slice, as: UTF8.self) else { throw failure("not UTF-8 in a string") }
        return text
    }

    private mutating func escape(into bytes: inout [UInt8]) throws(Failure) {
        guard let kind = current else { throw failure("unexpected end") }
        if let byte = Self.simpleEscape(kind) {
            bytes.append(byte)
            position += 1
            return
        }
        guard kind == UInt8(ascii: "u") else { throw failure("an unknown escape") }
        position += 1
        var code = try hexadecimal()
        if code >= 0xd800, code < 0xdc00 {
            guard current == UInt8(ascii: "\\") else { throw failure("half a surrogate pair") }
            position += 1
            guard current == UInt8(ascii: "u") else { throw failure("half a surrogate pair") }
            position += 1
            let low = try hexadecimal()
            guard low >= 0xdc00, low < 0xe000 else { throw failure("half a surrogate pair") }
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00)
        }
        guard let scalar = UnicodeScalar(code) else { throw failure("half a surrogate pair") }
        bytes.append(contentsOf: Character(scalar).utf8)
    }

    private static func simpleEscape(_ kind: UInt8) -> UInt8? {
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): kind
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0c
        case UInt8(ascii: "n"): 0x0a
        case UInt8(ascii: "r"): 0x0d
        case UInt8(ascii: "t"): 0x09
        default: nil
        }
    }

    private mutating func hexadecimal() throws(Failure) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current else { throw failure("unexpected end") }
            guard let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
                throw failure("expected a hex digit")
            }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }
}
