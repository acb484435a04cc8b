/// Takes the fields of one JSON object by name and kind, and refuses what is left over.
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
        case .number(let number):
            guard let whole = Int64(exactly: number) else { throw wrongKind(field, value, "an integer") }
            integer = whole
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

    /// Call last: what nobody took is unknown.
    func refuseRest() throws(APIError) {
        guard let stranger = fields.keys.min() else { return }
        let shown = stranger.count > 100 ? stranger.prefix(100) + "…" : stranger[...]
        throw APIError(
            status: 400, message: "Unknown parameter: \(name(String(shown))).", parameter: name(String(shown)),
            code: "unknown_parameter")
    }

    func wrongKind(_ field: String, _ value: JSONValue, _ expected: String) -> APIError {
        .invalid(name(field), "\(name(field)) must be \(expected), not \(value.kind).", code: "invalid_type")
    }

    func missing(_ field: String) -> APIError {
        .invalid(name(field), "\(name(field)) is required.", code: "missing_required_parameter")
    }
}
