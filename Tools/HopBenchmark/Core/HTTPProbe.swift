import CFloor

/// A client of the HTTP door: blocking calls on one connection, so that it costs next to nothing itself.
///
/// Invariant: the descriptor is open until `deinit`. Belongs to one thread at a time.
final class HTTPProbe {
    private let descriptor: Int32
    private let request: [CChar]

    /// - Parameter address: `host:port` of an IPv4 address, with or without `http://`.
    init(_ address: String, model: String, key: String = "", promptTokens: Int = 32) throws(BenchError) {
        let address = address.hasPrefix("http://") ? String(address.dropFirst(7)) : address
        let parts = address.split(separator: ":")
        guard parts.count == 2, let port = UInt16(parts[1]) else { throw .usage("no host:port: \(address)") }
        descriptor = unsafe cf_http_connect(String(parts[0]), port)
        guard descriptor >= 0 else { throw .floorFailed() }
        let body = Self.body(model: model, promptTokens: promptTokens, maximumTokens: 1)
        let head =
            "POST /v1/completions HTTP/1.1\r\nHost: \(address)\r\nContent-Type: application/json\r\n"
            + (key.isEmpty ? "" : "Authorization: Bearer \(key)\r\n") + "Content-Length: \(body.utf8.count)\r\n\r\n"
        request = (head + body).utf8.map { CChar(bitPattern: $0) }
    }

    deinit { cf_http_close(descriptor) }

    /// A streamed completion of a prompt of token ids.
    static func body(model: String, promptTokens: Int, maximumTokens: Int) -> String {
        let prompt = LineProbe.prompt(promptTokens).map(String.init).joined(separator: ",")
        return "{\"model\":\"\(model)\",\"prompt\":[\(prompt)],\"max_tokens\":\(maximumTokens),\"ignore_eos\":true,"
            + "\"temperature\":0,\"seed\":1,\"stream\":true,\"stream_options\":{\"include_usage\":true}}"
    }

    /// Sends one request and says what the answer's body is.
    func ask() throws(BenchError) -> String {
        var body = [CChar](repeating: 0, count: 4096)
        guard unsafe cf_http_exchange(descriptor, request, request.count, &body, body.count) == 0 else {
            throw .cluster("HTTP door: \(BenchError.floorFailed()) \(Self.text(body))")
        }
        return Self.text(body)
    }

    func run(_ round: LineRound) throws(BenchError) -> [UInt64] {
        var samples = [UInt64](repeating: 0, count: round.count)
        let result = unsafe cf_http_run(
            descriptor, request, request.count, UInt32(round.warmup), UInt32(round.count), round.pauseMicroseconds,
            &samples)
        guard result == 0 else { throw .floorFailed() }
        return samples
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
