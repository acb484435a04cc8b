import CodecMessages
import SwiftProtobuf

/// A message that carries the frame header's number.
protocol Numbered: Message, Equatable {
    var sequence: UInt64 { get set }
}

extension Tokenfactory_Benchmarks_GenerateVarint: Numbered {}
extension Tokenfactory_Benchmarks_GenerateFixed: Numbered {}
extension Tokenfactory_Benchmarks_TokenBatch: Numbered {}
extension Tokenfactory_Benchmarks_TextBatch: Numbered {}
extension Tokenfactory_Benchmarks_RecordBatch: Numbered {}

/// swift-protobuf as its documentation uses it: binary form into a byte array and back. The message stands ready: what
/// it costs to build one is not counted.
final class ProtobufCase<Content: Numbered>: CodecCase {
    let codec: String
    private var message: Content
    private var decoded = Content()
    private var bytes: [UInt8] = []

    init(_ message: Content, codec: String = "swift-protobuf") throws {
        self.codec = codec
        self.message = message
        try encode(1)
    }

    var byteCount: Int { bytes.count }

    func encode(_ times: Int) throws {
        for index in 0..<times {
            message.sequence = UInt64(index)
            bytes = try message.serializedBytes()
        }
    }

    func decode(_ times: Int) throws {
        for _ in 0..<times { decoded = try Content(serializedBytes: bytes) }
    }

    func isFaithful() throws -> Bool {
        try encode(1)
        try decode(1)
        return decoded == message
    }
}
