import Crypto
import Wire

/// What a request with an idempotency key asks for, as the ledger compares it: not its label, its key or the time that
/// its client waits.
struct ClaimedBody: Sendable {
    private let submit: Submit

    /// - Parameter hasSeed: Whether the client chose the seed: one that ingest chose is not asked for.
    init(_ body: RequestBody, hasSeed: Bool, streams: Bool) {
        var submit = Submit(handle: 0, hasSeed: hasSeed, streams: streams, body: body)
        submit.body.options.timeLeft = 0
        if !hasSeed { submit.body.sampling.seed = 0 }
        self.submit = submit
    }

    /// SHA-256 of its frame, which takes milliseconds for each megabyte. Throws `.overLimit` where it fits none.
    func digest() throws(WireError) -> BodyDigest {
        var buffer = FrameBuffer()
        try submit.encode(into: &buffer, session: 0)
        var words: [UInt64] = []
        var word: UInt64 = 0
        for (index, byte) in SHA256.hash(data: buffer.bytes).enumerated() {
            word |= UInt64(byte) << UInt64(8 * (index % 8))
            if index % 8 == 7 {
                words.append(word)
                word = 0
            }
        }
        return BodyDigest(words[0], words[1], words[2], words[3])
    }

    var result: Result<BodyDigest, WireError> {
        do throws(WireError) {
            return .success(try digest())
        } catch {
            return .failure(error)
        }
    }
}
