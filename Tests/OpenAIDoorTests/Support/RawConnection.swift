import NIOCore
import NIOPosix

/// A TCP connection to a door, byte by byte.
final class RawConnection {
    private let channel: any Channel
    private var iterator: AsyncStream<ByteBuffer>.Iterator
    private(set) var received: [UInt8] = []

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let continuation: AsyncStream<ByteBuffer>.Continuation

        init(_ continuation: AsyncStream<ByteBuffer>.Continuation) { self.continuation = continuation }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { continuation.yield(unwrapInboundIn(data)) }
        func channelInactive(context: ChannelHandlerContext) { continuation.finish() }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    /// - Parameter reads: False: takes bytes from the socket only when asked for, and lets the system hold few.
    init(port: Int, reads: Bool = true) async throws {
        let (stream, continuation) = AsyncStream<ByteBuffer>.makeStream()
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        if !reads {
            bootstrap = bootstrap.channelOption(.autoRead, value: false)
                .channelOption(.socketOption(.so_rcvbuf), value: 8192)
        }
        channel =
            try await bootstrap
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(continuation))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        iterator = stream.makeAsyncIterator()
    }

    func send(_ bytes: some Sequence<UInt8> & Sendable) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: Array(bytes)))
    }

    func close() async throws {
        try await channel.close()
    }

    /// Closes only our side: the other can still write.
    func closeOutput() async throws {
        try await channel.close(mode: .output)
    }

    /// More bytes; false at the end of the connection.
    func readMore() async -> Bool {
        guard let buffer = await iterator.next(isolation: #isolation) else { return false }
        received += buffer.readableBytesView
        return true
    }

    /// So many bytes, or more; false if the connection ends before. Asks the socket for them.
    func read(bytes count: Int) async -> Bool {
        while received.count < count {
            channel.read()
            guard await readMore() else { return false }
        }
        return true
    }

    func read(until text: String) async -> Bool {
        let wanted = Array(text.utf8)
        while received.firstRange(of: wanted) == nil {
            guard await readMore() else { return false }
        }
        return true
    }

    /// One response: by its content length or its chunks, else to the end of the connection.
    func response() async -> HTTPAnswer? {
        while true {
            if let (answer, length) = HTTPAnswer.parse(received, atEnd: false) {
                received.removeFirst(length)
                return answer
            }
            guard await readMore() else {
                let whole = received
                received = []
                return HTTPAnswer.parse(whole, atEnd: true)?.0
            }
        }
    }
}

/// An HTTP/1.1 response.
struct HTTPAnswer {
    var status: Int
    /// Names in lower case.
    var headers: [String: String]
    var body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }

    /// The payloads of server-sent events.
    var events: [String] {
        text.split(separator: "\n\n").map { $0.hasPrefix("data: ") ? String($0.dropFirst(6)) : "?\($0)" }
    }

    static func parse(_ bytes: [UInt8], atEnd: Bool) -> (HTTPAnswer, Int)? {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
        var lines = head.split(separator: "\r\n")[...]
        guard let status = lines.popFirst()?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            return nil
        }
        var headers: [String: String] = [:]
        for line in lines {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].drop { $0 == " " }.description
        }
        var answer = HTTPAnswer(status: status, headers: headers, body: [])
        let start = end.upperBound
        if status / 100 == 1 { return (answer, start) }
        if let length = headers["content-length"].flatMap({ Int($0) }) {
            guard bytes.count >= start + length else { return nil }
            answer.body = Array(bytes[start..<start + length])
            return (answer, start + length)
        }
        guard headers["transfer-encoding"] == "chunked" else {
            guard atEnd else { return nil }
            answer.body = Array(bytes[start...])
            return (answer, bytes.count)
        }
        var position = start
        while true {
            guard let line = bytes[position...].firstRange(of: Array("\r\n".utf8)),
                let size = Int(String(decoding: bytes[position..<line.lowerBound], as: UTF8.self), radix: 16),
                bytes.count >= line.upperBound + size + 2
            else { return nil }
            answer.body += bytes[line.upperBound..<line.upperBound + size]
            position = line.upperBound + size + 2
            if size == 0 { return (answer, position) }
        }
    }
}
