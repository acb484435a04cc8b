import Testing
import Wire

/// What a reader refuses, each with its reason; and what a later version may add.
@Suite struct RefusalTests {
    private func refusal(_ bytes: [UInt8]) -> WireError? {
        do throws(WireError) {
            _ = try AnyFrame(decoding: bytes.span)
            return nil
        } catch {
            return error
        }
    }

    private func bytes(_ frame: AnyFrame, _ change: (inout [UInt8]) -> Void) throws -> [UInt8] {
        var bytes = try frame.encoded()
        change(&bytes)
        Mutator.repair(&bytes)
        return bytes
    }

    private let submit = Submit(
        handle: 1, key: "k",
        body: RequestBody(
            form: .text, sampling: SamplingParameters(), limits: GenerationLimits(maximumTokens: 4), model: "m",
            strings: ["hé"], tokens: [1, 2]))

    @Test func headerFaultsAreTold() throws {
        let cancel = AnyFrame.cancel(Cancel(handle: 1))
        #expect(refusal([]) == WireError(.truncated, offset: 0, needed: 32, found: 0))
        #expect(refusal(try bytes(cancel) { $0[0] = 0 })?.reason == .badMagic)
        #expect(
            refusal(try bytes(cancel) { $0[2] = 3 }) == WireError(.unsupportedVersion, offset: 2, needed: 2, found: 3))
        #expect(refusal(try bytes(cancel) { $0[3] = 99 }) == WireError(.unknownKind, offset: 3, needed: 0, found: 99))
        #expect(refusal(try bytes(cancel) { $0[4] = 1 })?.reason == .reservedFlags)
        #expect(refusal(try bytes(cancel) { $0[5] = 0x80 })?.reason == .reservedFlags)
        #expect(refusal(try bytes(cancel) { $0[6] = 7 }) == WireError(.blockTooShort, offset: 6, needed: 8, found: 7))
        #expect(refusal(try bytes(cancel) { $0[6] = 9 }) == WireError(.truncated, offset: 6, needed: 9, found: 8))
        var long = try cancel.encoded()
        long.append(0)
        #expect(refusal(long) == WireError(.bodyLength, offset: 8, needed: 9, found: 8))
        Mutator.repair(&long)
        #expect(refusal(long) == WireError(.trailingBytes, offset: 40, needed: 0, found: 1))
    }

    @Test func aFrameOverTheLimitIsRefusedByItsSize() {
        let bytes = [UInt8](repeating: 0, count: WireLimits.frameBytes + 1)
        #expect(refusal(bytes)?.reason == .overLimit)
    }

    @Test func aHeaderOfAnotherFrameDoesNotLeadOutside() throws {
        let large = try AnyFrame.submit(submit).encoded()
        let header = try FrameHeader.decode(large.span)
        for count in [0, 8, 32, 60, large.count - 1] {
            let small = Array(large.prefix(count))
            #expect(throws: WireError.self) { try Submit(decoding: small.span, header: header) }
        }
        #expect(throws: WireError.self) { try Generate(decoding: large.span, header: header) }
        #expect(throws: WireError.self) { try Count(decoding: large.span, header: header) }
        #expect(throws: WireError.self) { try TextBatch(decoding: large.span, header: header) }
        var forged = header
        forged.kind = .generate
        #expect(throws: WireError.self) { try Generate(decoding: large.span, header: forged) }
        forged.kind = .goodbye
        #expect(throws: WireError.self) { try Count(decoding: large.span, header: forged) }
    }

    @Test func fieldsWithoutMeaningAreRefused() throws {
        let frame = AnyFrame.submit(submit)
        for (offset, value) in [
            (36, 0), (36, 5), (37, 2), (38, 255), (39, 1), (56 + 44, 2), (56 + 45, 2), (56 + 46, 1), (108, 1),
            (120, 4), (121, 1),
        ] {
            let error = refusal(try bytes(frame) { $0[offset] = UInt8(value) })
            #expect(error?.reason == .invalidValue && error?.offset == offset)
        }
        let row = TokenBatch(rows: [TokenRow(handle: 1, tokenCount: 0, position: 0)])
        for (offset, value) in [(42, 1), (52 + 22, 99), (52 + 24, 7), (52 + 27, 1)] {
            let error = refusal(try bytes(.tokens(row)) { $0[offset] = UInt8(value) })
            #expect(error?.reason == .invalidValue && error?.offset == offset)
        }
        let event = LedgerEvent(
            kind: .settle, requestID: .none, producerRole: .ingest, producer: 1, wallTime: 1, tenant: "", model: "",
            worker: "")
        for (offset, value) in [(68, 77), (70, 0), (71, 0), (72, 7), (73, 3), (74, 1), (79, 1)] {
            let error = refusal(
                try bytes(.record(RecordBatch(first: 1, events: [event]))) { $0[52 + offset] = UInt8(value) })
            #expect(error?.reason == .invalidValue && error?.offset == 52 + offset)
        }
    }

    @Test func textThatIsNotUTF8IsRefused() throws {
        let frame = AnyFrame.submit(submit)
        let offset = try #require(try frame.encoded().firstIndex(of: 0xc3))
        #expect(refusal(try bytes(frame) { $0[offset] = 0x80 })?.reason == .invalidUTF8)
        let hello = AnyFrame.hello(Hello(role: .client, epoch: 1, model: "abc"))
        #expect(refusal(try bytes(hello) { $0[68] = 0xff })?.reason == .invalidUTF8)
    }

    @Test func sumsMustAgree() throws {
        let tokens = TokenBatch(rows: [TokenRow(handle: 1, tokenCount: 2, position: 0)], tokens: [1])
        #expect(refusal(try AnyFrame.tokens(tokens).encoded())?.reason == .inconsistent)
        let text = TextBatch(rows: [TextRow(handle: 1, tokenCount: 0, position: 0, textLength: 2)], text: [65])
        #expect(refusal(try AnyFrame.text(.output, text).encoded())?.reason == .inconsistent)
        #expect(
            refusal(
                try bytes(.tokens(TokenBatch())) {
                    $0[4] = 1; $0 += [0, 0, 0, 0]
                })?.reason == .inconsistent)
        var generate = Generate()
        generate.generatedCount = 1
        #expect(throws: WireError.self) { try AnyFrame.generate(generate).encoded() }
        generate.generatedCount = 0
        #expect(refusal(try bytes(.generate(generate)) { $0[64] = 1 })?.reason == .inconsistent)
    }

    @Test func countsAreCheckedAgainstLimitAndFrame() throws {
        let name = String(repeating: "x", count: WireLimits.nameBytes + 1)
        #expect(refusal(try AnyFrame.hello(Hello(role: .client, epoch: 1, name: name)).encoded())?.reason == .overLimit)
        let batch = AnyFrame.tokens(TokenBatch())
        #expect(refusal(try bytes(batch) { $0[48] = 1 })?.reason == .truncated)
        #expect(refusal(try bytes(batch) { $0[50] = 1 })?.reason == .truncated)
        #expect(refusal(try bytes(batch) { $0[55] = 0xff })?.reason == .truncated)
        #expect(refusal(try bytes(batch) { $0[40] = 27 })?.reason == .blockTooShort)
    }

    /// A request of which a part is over its limit can be answered; one that is no whole frame can not.
    @Test func aRequestOverALimitHasItsHandle() throws {
        // The count of the prompt's strings, after the key and the model.
        let at = FrameHeader.size + 96 + 5 + 5
        let many = WireLimits.promptStrings + 1
        var whole = submit
        whole.handle = 77
        whole.body.strings = Array(repeating: "", count: many - 1)
        for (count, reason) in [(UInt32(many), WireError.Reason.overLimit), (.max, .truncated)] {
            var bytes = try AnyFrame.submit(whole).encoded()
            bytes.insert(contentsOf: [0, 0, 0, 0], at: at + 4)
            for index in 0..<4 { bytes[at + index] = UInt8(truncatingIfNeeded: count >> UInt32(8 * index)) }
            Mutator.repair(&bytes)
            var decoded = Submit()
            #expect(throws: WireError.self) {
                try decoded.decode(bytes.span, header: FrameHeader.decode(bytes.span))
            }
            #expect(decoded.handle == 77)
            #expect(refusal(bytes)?.reason == reason)
        }
    }

    @Test func encodersOfUserDataThrowOverTheLimits() throws {
        func reason(_ change: (inout Submit) -> Void) -> WireError.Reason? {
            var copy = submit
            change(&copy)
            do throws(WireError) {
                _ = try AnyFrame.submit(copy).encoded()
                return nil
            } catch {
                return error.reason
            }
        }
        #expect(reason { _ in } == nil)
        #expect(reason { $0.key = String(repeating: "é", count: 128) } == .overLimit)
        #expect(reason { $0.body.model = String(repeating: "m", count: 256) } == .overLimit)
        #expect(reason { $0.body.stops = Array(repeating: "s", count: 17) } == .overLimit)
        #expect(reason { $0.body.strings = Array(repeating: "", count: 4097) } == .overLimit)
        #expect(reason { $0.body.tokens = Array(repeating: 0, count: WireLimits.promptTokens + 1) } == .overLimit)
        #expect(reason { $0.body.strings = [String(repeating: "x", count: WireLimits.stringBytes + 1)] } == .overLimit)
        let most = String(repeating: "x", count: WireLimits.stringBytes)
        #expect(reason { $0.body.strings = [most, most] } == .overLimit)
        let resumed = Encode(
            handle: 1, requestID: .none, ingestAttempt: 0, tenant: "",
            body: RequestBody(
                form: .tokens, sampling: SamplingParameters(), limits: GenerationLimits(maximumTokens: 1), model: "",
                tokens: Array(repeating: 0, count: WireLimits.promptTokens)), generated: [1])
        #expect(throws: WireError.self) { try AnyFrame.encode(resumed).encoded() }
    }

    @Test func aLongerBlockOfALaterVersionIsSkipped() throws {
        for kind in FrameKind.allCases {
            var samples = Samples(seed: 3, size: 3)
            let frame = samples.frame(kind)
            let longer = try bytes(frame) { bytes in
                let length = Int(bytes[6])
                bytes.insert(contentsOf: [1, 2, 3, 4, 5], at: FrameHeader.size + length)
                bytes[6] += 5
            }
            #expect(try AnyFrame(decoding: longer.span) == frame)
        }
    }

    @Test func longerRowsOfALaterVersionAreSkipped() throws {
        let tokens = AnyFrame.tokens(
            TokenBatch(
                tray: 1, rows: (1...3).map { TokenRow(handle: $0, tokenCount: 1, position: 0) }, tokens: [4, 5, 6]))
        let text = AnyFrame.text(
            .output,
            TextBatch(
                tray: 1, rows: (1...3).map { TextRow(handle: $0, tokenCount: 1, position: 0, textLength: 1) },
                tokens: [4, 5, 6], text: [65, 66, 67]))
        for frame in [tokens, text] {
            let longer = try bytes(frame) { bytes in
                for row in [2, 1, 0] { bytes.insert(contentsOf: [9, 9], at: 52 + 28 * (row + 1)) }
                bytes[40] = 30
            }
            #expect(try AnyFrame(decoding: longer.span) == frame)
        }
        let event = LedgerEvent(
            kind: .settle, requestID: .none, producerRole: .ingest, producer: 1, wallTime: 1, tenant: "t", model: "m",
            worker: "w")
        let record = AnyFrame.record(RecordBatch(first: 1, events: [event]))
        let longer = try bytes(record) { bytes in
            bytes.insert(contentsOf: [9, 9, 9], at: 52 + 80)
            bytes[40] = 83
        }
        #expect(try AnyFrame(decoding: longer.span) == record)
    }

    @Test func versionsAreNegotiated() {
        #expect(ProtocolVersion.negotiate(minimum: 1, maximum: 1) == 1)
        #expect(ProtocolVersion.negotiate(minimum: 1, maximum: 9) == 2)
        #expect(ProtocolVersion.negotiate(minimum: 2, maximum: 9) == 2)
        #expect(ProtocolVersion.negotiate(minimum: 3, maximum: 9) == nil)
        #expect(ProtocolVersion.negotiate(minimum: 0, maximum: 0) == nil)
    }

    @Test func whatVersion1CannotSayIsNotLeftOut() throws {
        #expect(throws: Never.self) { try AnyFrame.submit(submit).encoded(version: 1) }
        for change: (inout RequestBody) -> Void in [
            { $0.options.stopTokens = [1] }, { $0.options.logitBias = [LogitBias(token: 1, bias: 1)] },
            { $0.options.cacheSalt = "s" }, { $0.template.arguments = "{}" }, { $0.form = .messages },
        ] {
            var copy = submit
            change(&copy.body)
            #expect(throws: WireError.self) { try AnyFrame.submit(copy).encoded(version: 1) }
        }
        var row = TextRow(handle: 1, tokenCount: 0, finish: .failed, status: .keyMismatch, position: 0, textLength: 0)
        let old = try AnyFrame.text(.output, TextBatch(rows: [row])).encoded(version: 1)
        row.status = .conflict
        #expect(try AnyFrame(decoding: old.span) == .text(.output, TextBatch(rows: [row])))
    }

    @Test func aKindOfALaterVersionIsNoKindOfAnEarlierOne() throws {
        let claim = Claim(
            number: 1, requestID: .none, bodyDigest: BodyDigest(1, 2, 3, 4), tenant: "acme", key: "order")
        #expect(refusal(try AnyFrame.claim(claim).encoded(version: 1))?.reason == .unknownKind)
    }
}
