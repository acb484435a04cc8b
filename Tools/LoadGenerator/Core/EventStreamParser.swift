/// Takes a `text/event-stream` apart as it comes, for streams whose events are single `data:` lines.
struct EventStreamParser {
    private var buffer: [UInt8] = []

    /// Takes the next bytes and calls `body` with the data of each event that is whole.
    mutating func push(_ bytes: some Sequence<UInt8>, _ body: (ArraySlice<UInt8>) -> Void) {
        buffer.append(contentsOf: bytes)
        var start = 0
        while let end = buffer[start...].firstIndex(of: UInt8(ascii: "\n")) {
            var line = buffer[start..<end]
            start = end + 1
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            guard line.starts(with: Self.prefix) else { continue }
            line.removeFirst(Self.prefix.count)
            if line.first == UInt8(ascii: " ") { line.removeFirst() }
            body(line)
        }
        buffer.removeSubrange(..<start)
    }

    private static let prefix = Array("data:".utf8)
    static let done = Array("[DONE]".utf8)
}
