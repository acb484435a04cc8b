/// One codec with one message, ready to be timed. Its loops keep their memory from one call to the next.
protocol CodecCase: AnyObject {
    /// The codec, as the table names it.
    var codec: String { get }
    /// Length of the encoded message.
    var byteCount: Int { get }
    /// Encodes the message so many times; its sequence number differs each time.
    func encode(_ times: Int) throws
    /// Decodes the message so many times.
    func decode(_ times: Int) throws
    /// Whether what was decoded is what was encoded.
    func isFaithful() throws -> Bool
}

/// A message in every codec.
struct Comparison {
    let message: String
    /// The first is Wire's.
    let cases: [any CodecCase]
    /// Encoded size in MessagePack, fields in arrays without names.
    let messagePackBytes: Int
}
