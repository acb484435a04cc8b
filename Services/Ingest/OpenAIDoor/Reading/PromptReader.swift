/// Reads what is to be continued, and where to stop.
enum PromptReader {
    /// As many as a frame to a tokenizer holds.
    private static let maximumMessages = 2048
    private static let maximumPrompts = 128
    private static let maximumStops = 16
    private static let maximumStopBytes = 1024

    static func chat(
        _ fields: inout FieldReader, ignored: inout [String]
    ) throws(APIError) -> DoorRequest.Prompt {
        guard let value = fields.take("messages") else { throw fields.missing("messages") }
        guard case .array(let elements) = value else { throw fields.wrongKind("messages", value, "an array") }
        guard (1...maximumMessages).contains(elements.count) else {
            throw .invalid("messages", "messages must hold 1 to \(maximumMessages) messages.")
        }
        var turns: [Turn] = []
        turns.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            turns.append(try turn(element, "messages[\(index)]", ignored: &ignored))
        }
        guard turns.contains(where: { !$0.more.isEmpty }) else { return .chat(turns.map(\.message)) }
        return .messages(JSONValue.array(turns.map(\.value)).text)
    }

    /// A message, and what it has besides role and content that a template may show.
    private struct Turn {
        var message: DoorRequest.Message
        var more: [JSONValue.Member] = []

        var value: JSONValue {
            .object(
                [
                    .init(key: "role", value: .string(message.role)),
                    .init(key: "content", value: .string(message.content)),
                ] + more)
        }
    }

    private static func turn(_ value: JSONValue, _ path: String, ignored: inout [String]) throws(APIError) -> Turn {
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
        for field in ["audio", "function_call"] { try fields.refuse(field) }
        try fields.refuse("tool_calls") { $0 == .array([]) }
        // What a client's own copy of an earlier answer carries.
        for field in ["refusal", "annotations"] { _ = fields.take(field) }
        var text = ""
        if let content = fields.take("content") {
            text = try Self.text(of: content, fields.name("content"), ignored: &ignored)
        } else if role != "assistant" {
            throw fields.missing("content")
        }
        var more: [JSONValue.Member] = []
        for field in ["name", "reasoning_content"] {
            if let text = try fields.string(field) { more.append(.init(key: field, value: .string(text))) }
        }
        fields.ignoreRest(&ignored)
        return Turn(message: .init(role: role == "developer" ? "system" : role, content: text), more: more)
    }

    /// A string, or text parts joined by line feeds.
    private static func text(
        of content: JSONValue, _ path: String, ignored: inout [String]
    ) throws(APIError) -> String {
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
                fields.ignoreRest(&ignored)
                texts.append(text)
            }
            return texts.joined(separator: "\n")
        default:
            throw .invalid(path, "\(path) must be a string or an array, not \(content.kind).", code: "invalid_type")
        }
    }

    /// A string, an array of token ids, or an array of several of them.
    static func texts(_ fields: inout FieldReader) throws(APIError) -> [DoorRequest.Prompt] {
        guard let value = fields.take("prompt") else { throw fields.missing("prompt") }
        switch value {
        case .string: return [try text(value, "prompt")]
        case .array(let elements):
            switch elements.first {
            case nil: throw empty
            case .integer, .number, .large: return [.tokens(try tokens(elements, "prompt"))]
            case .string, .array:
                guard elements.count <= maximumPrompts else {
                    throw .invalid("prompt", "prompt must hold at most \(maximumPrompts) prompts.")
                }
                var prompts: [DoorRequest.Prompt] = []
                for (index, element) in elements.enumerated() {
                    prompts.append(try text(element, "prompt[\(index)]"))
                }
                return prompts
            default: throw fields.wrongKind("prompt", value, "a string or an array of token ids")
            }
        default: throw fields.wrongKind("prompt", value, "a string or an array of token ids")
        }
    }

    private static func text(_ value: JSONValue, _ path: String) throws(APIError) -> DoorRequest.Prompt {
        switch value {
        case .string(let text):
            guard !text.isEmpty else { throw empty }
            return .text(text)
        case .array(let elements):
            guard !elements.isEmpty else { throw empty }
            return .tokens(try tokens(elements, path))
        default:
            throw .invalid(
                path, "\(path) must be a string or an array of token ids, not \(value.kind).", code: "invalid_type")
        }
    }

    private static let empty = APIError.invalid("prompt", "prompt must not be empty.")

    private static func tokens(_ elements: [JSONValue], _ path: String) throws(APIError) -> [UInt32] {
        var tokens: [UInt32] = []
        tokens.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            guard case .integer(let id) = element, let token = UInt32(exactly: id) else {
                throw .invalid("\(path)[\(index)]", "\(path)[\(index)] is not a token id.")
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
