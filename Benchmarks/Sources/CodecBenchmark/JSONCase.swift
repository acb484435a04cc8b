import Foundation

/// Foundation's JSON coders with one encoder and one decoder, used again.
final class JSONCase<Content: Codable & Equatable>: CodecCase {
    let codec = "Foundation JSON"
    private let message: Content
    private var decoded: Content
    private let encoder = JSONEncoder()
    private let decoder = JSONDecoder()
    private var bytes = Data()

    init(_ message: Content) throws {
        self.message = message
        decoded = message
        try encode(1)
    }

    var byteCount: Int { bytes.count }

    func encode(_ times: Int) throws {
        for _ in 0..<times { bytes = try encoder.encode(message) }
    }

    func decode(_ times: Int) throws {
        for _ in 0..<times { decoded = try decoder.decode(Content.self, from: bytes) }
    }

    func isFaithful() throws -> Bool {
        try decode(1)
        return decoded == message
    }
}
