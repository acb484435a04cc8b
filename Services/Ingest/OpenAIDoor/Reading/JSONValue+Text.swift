import Formats

extension JSONValue {
    /// As JSON, integers exactly as they were read.
    var text: String {
        var text = ""
        append(to: &text)
        return text
    }

    private func append(to text: inout String) {
        switch self {
        case .null: text += "null"
        case .bool(let flag): text += flag ? "true" : "false"
        case .integer(let number): text += "\(number)"
        case .large(let digits): text += digits
        case .number(let number): text += "\(number)"
        case .string(let string): text += JSONText.literal(string)
        case .array(let elements):
            text += "["
            for (index, element) in elements.enumerated() {
                if index > 0 { text += "," }
                element.append(to: &text)
            }
            text += "]"
        case .object(let members):
            text += "{"
            for (index, member) in members.enumerated() {
                if index > 0 { text += "," }
                text += JSONText.literal(member.key)
                text += ":"
                member.value.append(to: &text)
            }
            text += "}"
        }
    }
}
