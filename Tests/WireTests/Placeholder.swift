import Testing
import Wire

@Test func smoke() throws {
    var buffer = FrameBuffer()
    let request = RequestBody(
        form: .chat, sampling: SamplingParameters(seed: 3, temperature: 0.5),
        limits: GenerationLimits(maximumTokens: 9),
        wantsHops: true, model: "m", strings: ["user", "hé"], tokens: [1, 2, 0xffff_ffff], stops: ["\n"])
    let submit = Submit(handle: 7, requestID: RequestID(high: 1, low: 2), hasSeed: true, key: "k", body: request)
    try submit.encode(into: &buffer, session: 5, sequence: 6, sentAt: 8)
    let header = try FrameHeader.decode(buffer.bytes.span)
    #expect(header.session == 5 && header.sequence == 6 && header.sentAt == 8)
    #expect(try Submit(decoding: buffer.bytes.span, header: header) == submit)
    let batch = TextBatch(
        tray: 4, rows: [TextRow(handle: 1, tokenCount: 2, finish: .stop, position: 0, textLength: 3)], tokens: [5, 6],
        text: [1, 2, 3],
        hops: [HopRecord(handle: 1, station: .ingest, phase: .down, receivedAt: 1, begunAt: 2, sentAt: 3)])
    batch.encode(kind: .output, into: &buffer, session: 5)
    #expect(try TextBatch(decoding: buffer.bytes.span, header: FrameHeader.decode(buffer.bytes.span)) == batch)
}
