/// Takes the fields of one JSON object by name and kind, and tells what is left over.
///
/// `null` counts as absent, as OpenAI's clients send it. Each error names the field.
struct FieldReader {
    /// Name of the object itself in errors; empty for the body.
    private let path: String
    private var fields: [String: JSONValue]

    init(_ members: [JSONValue.Member], path: String = "") {
        self.path = path
        fields = Dictionary(members.map { ($0.key, $0.value) }) { first, _ in first }
    }

    func name(_ field: String) -> String {
        path.isEmpty ? field : "\(path).\(field)"
    }

    /// Whether the field is there, and not null.
    func has(_ field: String) -> Bool { fields[field].map { $0 != .null } ?? false }

    /// The field's value, unless it is absent or null. A field taken is a field known.
    mutating func take(_ field: String) -> JSONValue? {
        guard let value = fields.removeValue(forKey: field), value != .null else { return nil }
        return value
    }

    mutating func string(_ field: String) throws(APIError) -> String? {
        guard let value = take(field) else { return nil }
        guard case .string(let text) = value else { throw wrongKind(field, value, "a string") }
        return text
    }

    mutating func bool(_ field: String) throws(APIError) -> Bool? {
        guard let value = take(field) else { return nil }
        guard case .bool(let flag) = value else { throw wrongKind(field, value, "a boolean") }
        return flag
    }

    mutating func integer(_ field: String, in range: ClosedRange<Int64>) throws(APIError) -> Int64? {
        guard let value = take(field) else { return nil }
        let integer: Int64
        switch value {
        case .integer(let number): integer = number
        case .large(let text):
            throw .invalid(name(field), "\(name(field)) is out of range: \(text.prefix(40))")
        default: throw wrongKind(field, value, "an integer")
        }
        guard range.contains(integer) else {
            throw .invalid(name(field), "\(name(field)) must be from \(range.lowerBound) to \(range.upperBound)")
        }
        return integer
    }

    mutating func number(_ field: String, in range: ClosedRange<Double>, above: Bool = false) throws(APIError) -> Float?
    {
        guard let value = take(field) else { return nil }
        let number: Double
        switch value {
        case .integer(let integer): number = Double(integer)
        case .number(let real): number = real
        case .large(let text): number = Double(text) ?? .infinity
        default: throw wrongKind(field, value, "a number")
        }
        guard range.contains(number), !above || Float(number) > Float(range.lowerBound) else {
            let bounds =
                above
                ? "above \(range.lowerBound) and at most \(range.upperBound)"
                : "from \(range.lowerBound) to \(range.upperBound)"
            throw .invalid(name(field), "\(name(field)) must be \(bounds)")
        }
        return Float(number)
    }

    /// Token ids, `count` of them at most.
    mutating func tokens(_ field: String, count: Int) throws(APIError) -> [UInt32] {
        guard let value = take(field) else { return [] }
        guard case .array(let elements) = value else { throw wrongKind(field, value, "an array of token ids") }
        guard elements.count <= count else {
            throw .invalid(name(field), "\(name(field)) must hold at most \(count) token ids.")
        }
        var tokens: [UInt32] = []
        for element in elements {
            guard case .integer(let id) = element, let token = UInt32(exactly: id) else {
                throw .invalid(name(field), "\(name(field)) must hold token ids.")
            }
            tokens.append(token)
        }
        return tokens
    }

    mutating func object(_ field: String) throws(APIError) -> FieldReader? {
        guard let value = take(field) else { return nil }
        guard case .object(let members) = value else { throw wrongKind(field, value, "an object") }
        return FieldReader(members, path: name(field))
    }

    /// A field that would change the answer in a way that this server cannot: fine only with a value that asks for
    /// nothing.
    mutating func refuse(_ field: String, unless harmless: (JSONValue) -> Bool = { _ in false }) throws(APIError) {
        guard let value = take(field), !harmless(value) else { return }
        throw .unsupported(name(field), "This server does not support \(name(field)) with this value.")
    }

    /// Call last: what nobody took is unknown, or changes nothing; it is named, not refused.
    func ignoreRest(_ ignored: inout [String]) {
        guard !fields.isEmpty else { return }
        ignored += fields.filter { $0.value != .null }.keys.sorted().map { name($0) }
    }

    func wrongKind(_ field: String, _ value: JSONValue, _ expected: String) -> APIError {
        .invalid(name(field), "\(name(field)) must be \(expected), not \(value.kind).", code: "invalid_type")
    }

    func missing(_ field: String) -> APIError {
        .invalid(name(field), "\(name(field)) is required.", code: "missing_required_parameter")
    }
}
