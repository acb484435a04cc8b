import BenchmarkSupport

/// All that a run found.
struct CodecReport: Codable {
    let machine: Machine
    let rounds: Int
    let figures: [CodecFigures]
    let messagePackBytes: [String: Int]
    /// Nanoseconds of the digest over the tokens of `generate`.
    let digest: Spread

    var text: String {
        var lines: [String] = []
        var messages: [String] = []
        for item in figures where !messages.contains(item.message) { messages.append(item.message) }
        for message in messages {
            var table = Table([
                message, "bytes", "encode ns", "decode ns", "both ns (least to most)", "by wire", "allocations",
            ])
            for item in figures where item.message == message {
                table.add([
                    item.codec, "\(item.bytes)", item.encode.median.text(0), item.decode.median.text(0),
                    item.both.text(0), item.ratioToWire.text(1),
                    "\(item.encodeAllocations.text(1)) + \(item.decodeAllocations.text(1))",
                ])
            }
            if let bytes = messagePackBytes[message] {
                table.add(["MessagePack (size only)", "\(bytes)", "", "", "", "", ""])
            }
            lines += ["", table.text]
        }
        lines += ["", "digest of the tokens of generate: \(digest.text(0)) ns"]
        return lines.joined(separator: "\n")
    }
}
