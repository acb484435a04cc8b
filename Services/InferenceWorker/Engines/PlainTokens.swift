public import Llama

extension Vocabulary {
    /// Ids whose text is a space and lower-case English letters: what a simulated engine makes answers of, so that they
    /// are plain, valid UTF-8, however they are cut.
    public func plainTokens() throws(LlamaError) -> [UInt32] {
        var plain: [UInt32] = []
        var bytes: [UInt8] = []
        for id in 0..<UInt32(clamping: count) where !isControl(id) && !isEndOfGeneration(id) {
            bytes.removeAll(keepingCapacity: true)
            try self.bytes(of: id, renderSpecial: false, into: &bytes)
            guard bytes.count > 1, bytes[0] == UInt8(ascii: " ") else { continue }
            if bytes.dropFirst().allSatisfy({ $0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "z") }) { plain.append(id) }
        }
        return plain
    }
}
