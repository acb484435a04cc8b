import NIOCore

/// Writes the answers of `/tokenize` and `/detokenize`.
enum TokensWriter {
    static func answer(_ form: TokenReader.Form, _ tokens: DoorTokens) -> ByteBuffer {
        var buffer = ByteBuffer()
        switch form {
        case .tokenize: write(tokens, to: &buffer)
        case .detokenize:
            buffer.writeStaticString("{\"prompt\":")
            write(tokens.text, to: &buffer)
            buffer.writeStaticString("}")
        }
        return buffer
    }

    private static func write(_ tokens: DoorTokens, to buffer: inout ByteBuffer) {
        buffer.writeString("{\"count\":\(tokens.tokens.count),\"max_model_len\":")
        if let length = tokens.contextLength { buffer.writeDecimal(length) } else { buffer.writeStaticString("null") }
        buffer.writeStaticString(",\"tokens\":[")
        for (index, token) in tokens.tokens.enumerated() {
            if index > 0 { buffer.writeStaticString(",") }
            buffer.writeDecimal(token)
        }
        guard tokens.ends.count == tokens.tokens.count, !tokens.ends.isEmpty else {
            buffer.writeStaticString("],\"token_strs\":null}")
            return
        }
        buffer.writeStaticString("],\"token_strs\":[")
        var begin = 0
        for (index, end) in tokens.ends.enumerated() {
            if index > 0 { buffer.writeStaticString(",") }
            let end = min(max(begin, Int(end)), tokens.text.count)
            write(Array(tokens.text[begin..<end]), to: &buffer)
            begin = end
        }
        buffer.writeStaticString("]}")
    }

    private static func write(_ text: [UInt8], to buffer: inout ByteBuffer) {
        buffer.writeStaticString("\"")
        var escaper = JSONEscaper()
        escaper.append(text, isLast: true, to: &buffer)
        buffer.writeStaticString("\"")
    }
}
