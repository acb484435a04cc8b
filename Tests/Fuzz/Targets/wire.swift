import Wire

/// Every kind of frame, from a peer that may send anything: decoded as the stations do, and what was understood is
/// encoded and understood again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    do { try read(bytes.span) } catch {}
    return 0
}

private func read(_ frame: Span<UInt8>) throws(WireError) {
    let header = try FrameHeader.decode(frame)
    switch header.kind {
    case .hello: _ = try Hello(decoding: frame, header: header)
    case .welcome: _ = try Welcome(decoding: frame, header: header)
    case .reset: _ = try Reset(decoding: frame, header: header)
    case .heartbeat: _ = try Heartbeat(decoding: frame, header: header)
    case .heartbeatReply: _ = try HeartbeatReply(decoding: frame, header: header)
    case .credit, .recall, .recallAck, .demand, .trayAck, .probe, .probeReply, .recordAck:
        _ = try Count(decoding: frame, header: header)
    case .goodbye, .goodbyeAck: break
    case .cancel: _ = try Cancel(decoding: frame, header: header)
    case .submit: _ = try Submit(decoding: frame, header: header)
    case .output, .textBatch: _ = try TextBatch(decoding: frame, header: header)
    case .encode: _ = try Encode(decoding: frame, header: header)
    case .generate: _ = try Generate(decoding: frame, header: header)
    case .tokenBatch: _ = try TokenBatch(decoding: frame, header: header)
    case .record:
        let batch = try RecordBatch(decoding: frame, header: header)
        var buffer = FrameBuffer()
        batch.encode(into: &buffer, session: header.session)
        let again = try FrameHeader.decode(buffer.bytes.span)
        let second = try RecordBatch(decoding: buffer.bytes.span, header: again)
        precondition(second.first == batch.first && second.events.count == batch.events.count)
    case .tokenize: _ = try Tokenize(decoding: frame, header: header)
    case .tokenized: _ = try Tokenized(decoding: frame, header: header)
    case .claim: _ = try Claim(decoding: frame, header: header)
    case .claimAnswer: _ = try ClaimAnswer(decoding: frame, header: header)
    @unknown default: break
    }
}
