import NIOCore
import NIOHTTP1

/// What stands above an answer's body.
struct ResponseHead {
    /// How the client finds the body's end.
    enum Framing {
        case length(Int)
        case chunks
        /// At the end of the connection, for clients that know no chunks.
        case end
    }

    /// Whole lines, each with its end.
    var fields = ""
    var date: HTTPDate
    /// Says that the connection ends with this answer.
    var closes: Bool

    /// Of a stream of events.
    func writeEventStream(_ framing: Framing, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("HTTP/1.1 200 OK\r\n")
        if !self.fields.isEmpty { buffer.writeString(self.fields) }
        buffer.writeStaticString(
            "Cache-Control: no-cache\r\nContent-Type: text/event-stream; charset=utf-8\r\nx-accel-buffering: no\r\n")
        writeEnd(framing, to: &buffer)
    }

    /// Of a whole completion.
    func writeCompletion(length: Int, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("HTTP/1.1 200 OK\r\n")
        if !self.fields.isEmpty { buffer.writeString(self.fields) }
        buffer.writeStaticString("Cache-Control: no-cache\r\nContent-Type: application/json\r\n")
        writeEnd(.length(length), to: &buffer)
    }

    /// Of anything else.
    func write(
        status: Int, contentType: String?, fields: [(String, String)], length: Int, to buffer: inout ByteBuffer
    ) {
        let reason = HTTPResponseStatus(statusCode: status).reasonPhrase
        buffer.writeString("HTTP/1.1 \(status) \(reason)\r\n")
        if let contentType { buffer.writeString("Content-Type: \(contentType)\r\n") }
        if !self.fields.isEmpty { buffer.writeString(self.fields) }
        for (name, value) in fields { buffer.writeString("\(name): \(value)\r\n") }
        writeEnd(status == 204 ? .end : .length(length), to: &buffer)
    }

    private func writeEnd(_ framing: Framing, to buffer: inout ByteBuffer) {
        switch framing {
        case .length(let length):
            buffer.writeStaticString("Content-Length: ")
            buffer.writeDecimal(length)
            buffer.writeStaticString("\r\nDate: ")
            buffer.writeImmutableBuffer(date.text)
        case .chunks:
            buffer.writeStaticString("Date: ")
            buffer.writeImmutableBuffer(date.text)
            buffer.writeStaticString("\r\ntransfer-encoding: chunked")
        case .end:
            buffer.writeStaticString("Date: ")
            buffer.writeImmutableBuffer(date.text)
        }
        if closes { buffer.writeStaticString("\r\nConnection: close") }
        buffer.writeStaticString("\r\n\r\n")
    }
}

extension ByteBuffer {
    /// Writes one chunk (RFC 9112, section 7.1); an empty one would be the end.
    mutating func writeChunk(_ body: ByteBuffer) {
        guard body.readableBytes > 0 else { return }
        writeString(String(body.readableBytes, radix: 16))
        writeStaticString("\r\n")
        writeImmutableBuffer(body)
        writeStaticString("\r\n")
    }

    mutating func writeHexadecimal(_ id: DoorRequestID) {
        writeBytes(id.digits)
    }
}
