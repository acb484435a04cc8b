import Seeds
import Testing
import Wire

@Suite struct RoundTripTests {
    @Test(arguments: FrameKind.allCases) func decodingGivesBackWhatWasEncoded(_ kind: FrameKind) throws {
        let seed = FuzzPlan.seed
        var buffer = FrameBuffer()
        for round in 0..<120 {
            var samples = Samples(seed: seed &+ UInt64(round), size: round < 100 ? round / 5 : 700)
            let frame = samples.frame(kind)
            let session = samples.random.u32()
            let sequence = samples.random.next()
            let sentAt = samples.random.next()
            try frame.encode(into: &buffer, session: session, sequence: sequence, sentAt: sentAt)
            let bytes = buffer.bytes
            let header = try FrameHeader.decode(bytes.span)
            let expected = FrameHeader(
                version: frame.headerVersion, kind: kind, flags: header.flags, blockLength: header.blockLength,
                bodyLength: UInt32(bytes.count - FrameHeader.size), session: session, sequence: sequence,
                sentAt: sentAt)
            #expect(header == expected, "round \(round), \(FuzzPlan.replay(seed))")
            let decoded = try AnyFrame(decoding: bytes.span, header: header)
            #expect(decoded == frame, "round \(round), \(FuzzPlan.replay(seed))")
            #expect(
                try decoded.encoded(session: session, sequence: sequence, sentAt: sentAt) == bytes,
                "round \(round), \(FuzzPlan.replay(seed))")
        }
    }

    @Test func decodingIntoAUsedValueLeavesNothingOfTheOldOne() throws {
        let seed = FuzzPlan.seed
        var samples = Samples(seed: seed, size: 40)
        var submit = Submit()
        var encode = Encode()
        var generate = Generate()
        var tokens = TokenBatch()
        var text = TextBatch()
        for round in 0..<60 {
            for kind in [FrameKind.submit, .encode, .generate, .tokenBatch, .textBatch, .output] {
                let frame = samples.frame(kind)
                let bytes = try frame.encoded()
                let header = try FrameHeader.decode(bytes.span)
                let decoded: AnyFrame
                switch kind {
                case .submit:
                    try submit.decode(bytes.span, header: header)
                    decoded = .submit(submit)
                case .encode:
                    try encode.decode(bytes.span, header: header)
                    decoded = .encode(encode)
                case .generate:
                    try generate.decode(bytes.span, header: header)
                    decoded = .generate(generate)
                case .tokenBatch:
                    try tokens.decode(bytes.span, header: header)
                    decoded = .tokens(tokens)
                default:
                    try text.decode(bytes.span, header: header)
                    decoded = .text(kind, text)
                }
                #expect(decoded == frame, "round \(round), \(FuzzPlan.replay(seed))")
            }
        }
    }

    @Test func memoryIsUsedAgain() throws {
        let large = TokenBatch(
            tray: 1, rows: (0..<100).map { TokenRow(handle: $0, tokenCount: 3, position: 0) },
            tokens: Array(repeating: 7, count: 300))
        let small = TokenBatch(tray: 2, rows: [TokenRow(handle: 1, tokenCount: 1, position: 0)], tokens: [9])
        var buffer = FrameBuffer()
        large.encode(into: &buffer, session: 1)
        var batch = TokenBatch()
        try batch.decode(buffer.bytes.span, header: FrameHeader.decode(buffer.bytes.span))
        let capacities = (buffer.bytes.capacity, batch.rows.capacity, batch.tokens.capacity)
        for value in [small, large, small, large] {
            value.encode(into: &buffer, session: 1)
            try batch.decode(buffer.bytes.span, header: FrameHeader.decode(buffer.bytes.span))
            #expect(batch == value)
            #expect((buffer.bytes.capacity, batch.rows.capacity, batch.tokens.capacity) == capacities)
        }
    }

    @Test(arguments: FrameKind.allCases) func aUsedBufferLeavesNothingOfItsOldFrame(_ kind: FrameKind) throws {
        let seed = FuzzPlan.seed
        let old = TextBatch(
            tray: .max, rows: [TextRow(handle: .max, tokenCount: 0, position: .max, textLength: 100_000)],
            text: Array(repeating: 0xff, count: 100_000))
        var buffer = FrameBuffer()
        for round in 0..<20 {
            var samples = Samples(seed: seed &+ UInt64(round), size: round)
            let frame = samples.frame(kind)
            old.encode(kind: .output, into: &buffer, session: .max, sequence: .max, sentAt: .max)
            try frame.encode(into: &buffer, session: 1, sequence: 2, sentAt: 3)
            #expect(
                try frame.encoded(session: 1, sequence: 2, sentAt: 3) == buffer.bytes,
                "round \(round), \(FuzzPlan.replay(seed))")
        }
    }

    @Test func stampOverwritesSequenceAndTimeAlone() throws {
        var buffer = FrameBuffer()
        buffer.stamp(sequence: 1, sentAt: 1)
        #expect(buffer.bytes.isEmpty)
        Cancel(handle: 5).encode(into: &buffer, session: 9)
        buffer.stamp(sequence: 77, sentAt: 88)
        var header = try FrameHeader.decode(buffer.bytes.span)
        #expect(header.session == 9 && header.sequence == 77 && header.sentAt == 88)
        #expect(try Cancel(decoding: buffer.bytes.span, header: header) == Cancel(handle: 5))
        header.kind = .goodbye
        header.encode(into: &buffer)
        #expect(buffer.bytes.count == FrameHeader.size)
        buffer.reset()
        #expect(buffer.bytes.isEmpty)
    }
}
