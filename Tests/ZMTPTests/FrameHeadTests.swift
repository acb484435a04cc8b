import Testing

@testable import ZMTP

@Suite struct FrameHeadTests {
    private func bytes(_ head: FrameHead) -> [UInt8] {
        let bytes = head.bytes
        return (0..<head.headLength).map { bytes[$0] }
    }

    @Test func `a head is a byte of flags and the length in one byte or eight`() {
        #expect(bytes(FrameHead(bodyLength: 0)) == [0, 0])
        #expect(bytes(FrameHead(bodyLength: 255)) == [0, 255])
        #expect(bytes(FrameHead(bodyLength: 256)) == [2, 0, 0, 0, 0, 0, 0, 1, 0])
        #expect(bytes(FrameHead(bodyLength: 1 << 32)) == [2, 0, 0, 0, 1, 0, 0, 0, 0])
        #expect(bytes(FrameHead(bodyLength: 7, isCommand: true)) == [4, 7])
    }

    @Test(arguments: [0, 1, 255, 256, 65_535, 1 << 24]) func `what is written is read`(length: Int) throws {
        let head = FrameHead(bodyLength: length)
        let written = bytes(head)
        #expect(try FrameHead(written.span, limit: length) == head)
        for count in 0..<written.count {
            #expect(try FrameHead(Array(written.prefix(count)).span, limit: length) == nil)
        }
        if length > 0 {
            #expect(throws: ZMTPError.oversized(length: UInt64(length), limit: length - 1)) {
                _ = try FrameHead(written.span, limit: length - 1)
            }
        }
    }

    @Test func `reserved bits, a command that goes on and impossible lengths are refused`() throws {
        for flags in UInt8.min...UInt8.max {
            let isGood = flags & 0xf8 == 0 && flags & 5 != 5
            let bytes: [UInt8] = [flags] + [UInt8](repeating: 0, count: 8)
            let head = try? FrameHead(bytes.span, limit: 10)
            #expect((head != nil) == isGood)
            #expect(head.map(\.hasMore) == (isGood ? flags & 1 != 0 : nil))
        }
        let endless: [UInt8] = [2] + [UInt8](repeating: 255, count: 8)
        #expect(throws: ZMTPError.oversized(length: .max, limit: 16)) { _ = try FrameHead(endless.span, limit: 16) }
    }
}
