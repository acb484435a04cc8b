/// Reads what is to be continued, and where to stop.
enum PromptReader {
    private static let maximumMessages = 4096
    private static let maximumStops = 16
    private static let maximumStopBytes = 1024

    static func chat(_ fields: inout FieldReader) throws(APIError) -> DoorRequest.Prompt {
        guard let value = fields.take("messages") else { throw fields.missing("messages") }
        guard case .array(let elements) = value else { throw fields.wrongKind("messages", value, "an array") }
        guard (1...maximumMessages).contains(elements.count) else {
            throw .invalid("messages", "messages must hold 1 to \(maximumMessages) messages.")
        }
        var messages: [DoorRequest.Message] = []
        messages.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            messages.append(try message(element, "messages[\(index)]"))
        }
        return .chat(messages)
    }

    private static func message(_ value: JSONValue, _ path: String) throws(APIError) -> DoorRequest.Message {
        guard case .object(let members) = value else {
            throw .invalid(path, "\(path) must be an object, not \(value.kind).", code: "invalid_type")
        }
        var fields = FieldReader(members, path: path)
        guard let role = try fields.string("role") else { throw fields.missing("role") }
        switch role {
        case "system", "developer", "user", "assistant": break
        case "tool", "function":
            throw .unsupported(fields.name("role"), "This server does not support the role \(role).")
        default:
            throw .invalid(fields.name("role"), "\(fields.name("role")) must be system, developer, user or assistant.")
        }
        // What a client's own copy of an earlier answer carries; empty, it means nothing.
        for field in ["name", "refusal", "audio", "function_call"] { try fields.refuse(field) }
        for field in ["tool_calls", "annotations"] { try fields.refuse(field) { $0 == .array([]) } }
        guard let content = fields.take("content") else { throw fields.missing("content") }
        let text = try text(of: content, fields.name("content"))
        try fields.refuseRest()
        return DoorRequest.Message(role: role == "developer" ? "system" : role, content: text)
    }

    /// A string, or text parts joined by line feeds.
    private static func text(of content: JSONValue, _ path: String) throws(APIError) -> String {
        switch content {
        case .string(let text): return text
        case .array(let parts):
            guard !parts.isEmpty else { throw .invalid(path, "\(path) must not be empty.") }
            var texts: [String] = []
            for (index, part) in parts.enumerated() {
                let path = "\(path)[\(index)]"
                guard case .object(let members) = part else {
                    throw .invalid(path, "\(path) must be an object, not \(part.kind).", code: "invalid_type")
                }
                var fields = FieldReader(members, path: path)
                guard let type = try fields.string("type") else { throw fields.missing("type") }
                guard type == "text" else {
                    throw .unsupported(fields.name("type"), "This server supports content parts of type text only.")
                }
                guard let text = try fields.string("text") else { throw fields.missing("text") }
                try fields.refuseRest()
                texts.append(text)
            }
            return texts.joined(separator: "\n")
        default:
            throw .invalid(path, "\(path) must be a string or an array, not \(content.kind).", code: "invalid_type")
        }
    }

    /// A string, an array of one string, or an array of token ids, also inside an array of one.
    static func text(_ fields: inout FieldReader) throws(APIError) -> DoorRequest.Prompt {
        guard let value = fields.take("prompt") else { throw fields.missing("prompt") }
        switch value {
        case .string(let text):
            guard !text.isEmpty else { throw empty }
            return .text(text)
        case .array(let elements):
            guard let first = elements.first else { throw empty }
            switch first {
            case .integer, .number: return .tokens(try tokens(elements))
            case .string(let text):
                guard elements.count == 1 else { throw several }
                guard !text.isEmpty else { throw empty }
                return .text(text)
            case .array(let inner):
                guard elements.count == 1 else { throw several }
                guard !inner.isEmpty else { throw empty }
                return .tokens(try tokens(inner))
            default: throw fields.wrongKind("prompt", value, "a string or an array of token ids")
            }
        default: throw fields.wrongKind("prompt", value, "a string or an array of token ids")
        }
    }

    private static let empty = APIError.invalid("prompt", "prompt must not be empty.")
    private static let several = APIError.unsupported(
        "prompt", "This server takes one prompt in a request, not several.")

    private static func tokens(_ elements: [JSONValue]) throws(APIError) -> [UInt32] {
        var tokens: [UInt32] = []
        tokens.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            guard case .integer(let id) = element, let token = UInt32(exactly: id) else {
                throw .invalid("prompt[\(index)]", "prompt[\(index)] is not a token id.")
            }
            tokens.append(token)
        }
        return tokens
    }

    static func stops(_ fields: inout FieldReader) throws(APIError) -> [String] {
        guard let value = fields.take("stop") else { return [] }
        let elements: [JSONValue]
        switch value {
        case .string: elements = [value]
        case .array(let array): elements = array
        default: throw fields.wrongKind("stop", value, "a string or an array of strings")
        }
        guard elements.count <= maximumStops else {
            throw .invalid("stop", "stop must hold at most \(maximumStops) strings.")
        }
        var stops: [String] = []
        for element in elements {
            guard case .string(let text) = element else {
                throw fields.wrongKind("stop", element, "a string or an array of strings")
            }
            guard !text.isEmpty, text.utf8.count <= maximumStopBytes else {
                throw .invalid("stop", "Each stop string must have 1 to \(maximumStopBytes) bytes.")
            }
            stops.append(text)
        }
        return stops
    }
}
