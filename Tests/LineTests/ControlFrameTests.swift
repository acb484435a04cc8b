import Line
import Testing
import Wire

@Suite struct ControlFrameTests {
    @Test func `Every control frame is the same after encoding and decoding`() throws {
        let frames: [ControlFrame] = [
            .hello(Hello(role: .tokenizer, epoch: 1, slots: 2, contextLength: 3, model: "m", name: "n")),
            .welcome(
                Welcome(
                    role: .ingest, epoch: 1, session: 2, window: 3, heartbeatMilliseconds: 4, timeoutMilliseconds: 5)),
            .reset(Reset(status: .busy)), .heartbeat(Heartbeat(waiting: 1, traysTaken: 2)),
            .heartbeatReply(HeartbeatReply(originAt: 1, receivedAt: 2, held: 3, free: 4, stepAge: 5)),
            .credit(Count(1)), .recall(Count(2)), .recallAck(Count(3)), .demand(Count(4)), .goodbye, .goodbyeAck,
            .trayAck(Count(5)), .cancel(Cancel(handle: 6)), .probe(Count(7)), .probeReply(Count(8)),
        ]
        var buffer = FrameBuffer()
        for frame in frames {
            frame.encode(into: &buffer, session: 9, sequence: 10, sentAt: 11)
            let header = try FrameHeader.decode(buffer.bytes.span)
            #expect(header.kind == frame.kind && header.session == 9 && header.sequence == 10 && header.sentAt == 11)
            #expect(try ControlFrame.decode(buffer.bytes.span, header: header) == frame)
        }
    }

    @Test func `Frames that carry work are not control`() throws {
        let bytes: [UInt8] = Array(repeating: 0, count: 32)
        for kind in [FrameKind.submit, .output, .encode, .textBatch, .generate, .tokenBatch, .record, .recordAck] {
            #expect(try ControlFrame.decode(bytes.span, header: FrameHeader(kind: kind)) == nil)
        }
    }
}
