import Testing
import Wire

/// Damaged frames: never a trap, never an error that points outside the frame, never more memory than the frame's own
/// size justifies; and what is accepted has one form only.
@Suite struct MutationTests {
    private static let shards = 4

    @Test(arguments: 0..<Self.shards) func damagedFramesAreRefusedOrHaveOneForm(_ shard: Int) throws {
        let seed = FuzzPlan.seed
        // A trap ends the process before any report: the way back to it must stand in the output already.
        print("mutations, shard \(shard): \(FuzzPlan.replay(seed))")
        var mutator = try Mutator(seed: seed &+ UInt64(shard) &* 0x9e37_79b9)
        var bytes: [UInt8] = []
        var accepted = 0
        for round in 0..<(FuzzPlan.frames / Self.shards) {
            mutator.mutate(into: &bytes)
            switch Verdict(of: bytes) {
            case .refused: break
            case .accepted: accepted += 1
            case .broken(let what):
                let hex = bytes.map { String($0, radix: 16) }.joined(separator: " ")
                Issue.record("\(what) in shard \(shard), round \(round), \(FuzzPlan.replay(seed))\n\(hex)")
                return
            }
        }
        // The mutations must reach both sides of the border.
        #expect(accepted > 0 || FuzzPlan.frames < 1000)
    }

    @Test(arguments: FrameKind.allCases) func everyHeaderByteInEveryOtherValue(_ kind: FrameKind) throws {
        var samples = Samples(seed: 1, size: 4)
        let frame = samples.frame(kind)
        let original = try frame.encoded(session: 0x0102_0304, sequence: 0x1112_1314, sentAt: 0x2122_2324)
        for offset in 0..<FrameHeader.size {
            for change in UInt8(1)...255 {
                var bytes = original
                bytes[offset] ^= change
                let verdict = Verdict(of: bytes)
                switch offset {
                case 2 where bytes[2] == 1:
                    // The other version: refused, unless the kind is the same in both.
                    if case .broken(let what) = verdict { Issue.record("\(what): version 1 of \(kind)") }
                case 0...2, 8...11:
                    #expect(verdict == .refused, "byte \(offset) of \(kind) changed by \(change)")
                case 12...31:
                    #expect(verdict == .accepted, "byte \(offset) of \(kind) changed by \(change)")
                    #expect(try AnyFrame(decoding: bytes.span) == frame)
                default:
                    if case .broken(let what) = verdict { Issue.record("\(what): byte \(offset) of \(kind)") }
                }
            }
        }
    }

    @Test(arguments: FrameKind.allCases) func everyTruncation(_ kind: FrameKind) throws {
        var samples = Samples(seed: 2, size: 5)
        for _ in 0..<3 {
            let original = try samples.frame(kind).encoded()
            for count in 0..<original.count {
                var bytes = Array(original.prefix(count))
                #expect(Verdict(of: bytes) == .refused, "\(kind) cut to \(count)")
                // The same with a header that owns up to it.
                guard count >= FrameHeader.size else { continue }
                Mutator.repair(&bytes)
                #expect(Verdict(of: bytes) == .refused, "\(kind) cut to \(count), length repaired")
            }
            for extra in 1...9 {
                var bytes = original + Array(repeating: 0, count: extra)
                #expect(Verdict(of: bytes) == .refused)
                Mutator.repair(&bytes)
                #expect(Verdict(of: bytes) == .refused, "\(kind) with \(extra) bytes more")
            }
        }
    }
}

/// What the codec makes of a frame.
enum Verdict: Equatable {
    case refused
    case accepted
    /// A law is broken.
    case broken(String)

    init(of bytes: [UInt8]) {
        do throws(WireError) {
            let header = try FrameHeader.decode(bytes.span)
            self = Self.decode(bytes, header)
        } catch {
            self = error.offset >= 0 && error.offset <= bytes.count ? .refused : .broken("\(error) is outside")
        }
    }

    /// Whether a length of the block or of a row exceeds what we write: its tail was skipped, and is not written again.
    private static func isOfLaterVersion(_ bytes: [UInt8], _ again: [UInt8]) -> Bool {
        if bytes[6] != again[6] || bytes[7] != again[7] { return true }
        let hasRows: Set<UInt8> = [33, 35, 37, 48]
        return hasRows.contains(bytes[3]) && (bytes[40] != again[40] || bytes[41] != again[41])
    }

    private static func decode(_ bytes: [UInt8], _ header: FrameHeader) -> Verdict {
        var frame: AnyFrame?
        var failure: WireError?
        var capacity = 0
        // Kinds that are decoded in place show what was allocated even when decoding failed midway.
        do throws(WireError) {
            switch header.kind {
            case .generate:
                var value = Generate()
                defer { capacity = 4 * value.tokens.capacity }
                try value.decode(bytes.span, header: header)
                frame = .generate(value)
            case .tokenBatch:
                var value = TokenBatch()
                defer {
                    capacity = 28 * value.rows.capacity + 4 * value.tokens.capacity + 32 * value.hops.capacity
                }
                try value.decode(bytes.span, header: header)
                frame = .tokens(value)
            case .textBatch, .output:
                var value = TextBatch()
                defer {
                    capacity = 28 * value.rows.capacity + 4 * value.tokens.capacity + value.text.capacity
                    capacity += 32 * value.hops.capacity
                }
                try value.decode(bytes.span, header: header)
                frame = .text(header.kind, value)
            case .encode:
                var value = Encode()
                defer {
                    capacity = 4 * (value.body.tokens.capacity + value.generated.capacity)
                    capacity += 4 * (value.body.strings.capacity + value.body.stops.capacity)
                }
                try value.decode(bytes.span, header: header)
                frame = .encode(value)
            default:
                frame = try AnyFrame(decoding: bytes.span, header: header)
            }
        } catch {
            failure = error
        }
        // Arrays round their capacity up to what the allocator gives.
        guard capacity <= 2 * bytes.count + 256 else { return .broken("capacity \(capacity)") }
        if let failure {
            return failure.offset >= 0 && failure.offset <= bytes.count ? .refused : .broken("\(failure) is outside")
        }
        guard let frame else { return .broken("no frame and no error") }
        guard frame.weight <= bytes.count - FrameHeader.size else { return .broken("weight \(frame.weight)") }
        do throws(WireError) {
            let again = try frame.encoded(
                session: header.session, sequence: header.sequence, sentAt: header.sentAt, version: header.version)
            return again == bytes || isOfLaterVersion(bytes, again) ? .accepted : .broken("written otherwise")
        } catch {
            return .broken("accepted, but not written: \(error)")
        }
    }
}
