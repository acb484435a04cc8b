import Wire

/// Wire as the stations use it: a buffer that is used again, a header that is checked before each decoding, content
/// decoded into memory that is used again. Both are moved into the loop, so that it does not measure accesses to a class.
final class WireGenerateCase: CodecCase {
    let codec = "wire"
    private let message: Generate
    private var decoded = Generate()
    private var buffer = FrameBuffer(capacity: 4096)

    init(_ message: Generate) throws {
        self.message = message
        try encode(1)
    }

    var byteCount: Int { buffer.bytes.count }

    func encode(_ times: Int) throws {
        var frame = FrameBuffer()
        swap(&frame, &buffer)
        defer { swap(&frame, &buffer) }
        for index in 0..<times {
            try message.encode(
                into: &frame, session: Samples.session, sequence: UInt64(index), sentAt: Samples.sentAt)
        }
    }

    func decode(_ times: Int) throws {
        let bytes = buffer.bytes
        var value = Generate()
        swap(&value, &decoded)
        defer { swap(&value, &decoded) }
        for _ in 0..<times {
            let header = try FrameHeader.decode(bytes.span)
            try value.decode(bytes.span, header: header)
        }
    }

    func isFaithful() throws -> Bool {
        try decode(1)
        return decoded == message
    }
}

final class WireTokenBatchCase: CodecCase {
    let codec = "wire"
    private let message: TokenBatch
    private var decoded = TokenBatch()
    private var buffer = FrameBuffer(capacity: 65_536)

    init(_ message: TokenBatch) {
        self.message = message
        encode(1)
    }

    var byteCount: Int { buffer.bytes.count }

    func encode(_ times: Int) {
        var frame = FrameBuffer()
        swap(&frame, &buffer)
        defer { swap(&frame, &buffer) }
        for index in 0..<times {
            message.encode(into: &frame, session: Samples.session, sequence: UInt64(index), sentAt: Samples.sentAt)
        }
    }

    func decode(_ times: Int) throws {
        let bytes = buffer.bytes
        var value = TokenBatch()
        swap(&value, &decoded)
        defer { swap(&value, &decoded) }
        for _ in 0..<times {
            let header = try FrameHeader.decode(bytes.span)
            try value.decode(bytes.span, header: header)
        }
    }

    func isFaithful() throws -> Bool {
        try decode(1)
        return decoded == message
    }
}

final class WireTextBatchCase: CodecCase {
    let codec = "wire"
    private let message: TextBatch
    private var decoded = TextBatch()
    private var buffer = FrameBuffer(capacity: 65_536)

    init(_ message: TextBatch) {
        self.message = message
        encode(1)
    }

    var byteCount: Int { buffer.bytes.count }

    func encode(_ times: Int) {
        var frame = FrameBuffer()
        swap(&frame, &buffer)
        defer { swap(&frame, &buffer) }
        for index in 0..<times {
            message.encode(
                kind: .textBatch, into: &frame, session: Samples.session, sequence: UInt64(index),
                sentAt: Samples.sentAt)
        }
    }

    func decode(_ times: Int) throws {
        let bytes = buffer.bytes
        var value = TextBatch()
        swap(&value, &decoded)
        defer { swap(&value, &decoded) }
        for _ in 0..<times {
            let header = try FrameHeader.decode(bytes.span)
            try value.decode(bytes.span, header: header)
        }
    }

    func isFaithful() throws -> Bool {
        try decode(1)
        return decoded == message
    }
}

final class WireRecordBatchCase: CodecCase {
    let codec = "wire"
    private let message: RecordBatch
    private var decoded = RecordBatch(first: 0, events: [])
    private var buffer = FrameBuffer(capacity: 65_536)

    init(_ message: RecordBatch) {
        self.message = message
        encode(1)
    }

    var byteCount: Int { buffer.bytes.count }

    func encode(_ times: Int) {
        var frame = FrameBuffer()
        swap(&frame, &buffer)
        defer { swap(&frame, &buffer) }
        for index in 0..<times {
            message.encode(into: &frame, session: Samples.session, sequence: UInt64(index), sentAt: Samples.sentAt)
        }
    }

    func decode(_ times: Int) throws {
        let bytes = buffer.bytes
        var value = RecordBatch(first: 0, events: [])
        swap(&value, &decoded)
        defer { swap(&value, &decoded) }
        for _ in 0..<times {
            let header = try FrameHeader.decode(bytes.span)
            value = try RecordBatch(decoding: bytes.span, header: header)
        }
    }

    func isFaithful() throws -> Bool {
        try decode(1)
        return decoded == message
    }
}
