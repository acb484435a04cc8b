import Wire

/// The frames of a hop with a body of so many bytes: a real request and a real tray of the same token ids.
enum HopFrames {
    /// Token ids in one row: its count has 16 bits.
    static let rowTokens = 16_384

    static func request(bodyBytes: Int) -> Generate {
        Generate(
            handle: 0, requestID: RequestID(high: 1, low: 2), ingestAttempt: 1, tokenizerAttempt: 1, digest: 0,
            sampling: SamplingParameters(seed: 1), limits: GenerationLimits(maximumTokens: 1), tenant: "bench",
            model: "", tokens: (0..<max(1, bodyBytes / 4)).map { UInt32($0) })
    }

    /// Fills the rows of an answer with so many token ids.
    static func fill(_ rows: inout [TokenRow], handle: UInt32, tokens: Int) {
        rows.removeAll(keepingCapacity: true)
        var position = 0
        while position < tokens {
            let count = min(rowTokens, tokens - position)
            rows.append(
                TokenRow(
                    handle: handle, tokenCount: UInt16(count),
                    finish: position + count == tokens ? .length : .none, position: UInt32(position)))
            position += count
        }
    }

    /// Bytes of the two frames.
    static func sizes(bodyBytes: Int) throws(BenchError) -> (down: Int, up: Int) {
        var frame = FrameBuffer()
        let request = request(bodyBytes: bodyBytes)
        do throws(WireError) {
            try request.encode(into: &frame, session: 1)
        } catch {
            throw .usage("a body of \(bodyBytes) bytes fits no frame: \(error)")
        }
        let down = frame.bytes.count
        var batch = TokenBatch(tokens: request.tokens)
        fill(&batch.rows, handle: 0, tokens: request.tokens.count)
        batch.encode(into: &frame, session: 1)
        return (down, frame.bytes.count)
    }
}
