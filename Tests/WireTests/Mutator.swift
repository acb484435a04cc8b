import Seeds
import Wire

/// Damages valid frames in ways that get past the first checks.
struct Mutator {
    private var random: SeededGenerator
    private var corpus: [[UInt8]] = []

    init(seed: UInt64) throws(WireError) {
        random = SeededGenerator(seed: seed)
        for kind in FrameKind.allCases {
            let isFixed = Count.kinds.contains(kind) || kind == .goodbye || kind == .goodbyeAck
            for variant in 0..<(isFixed ? 1 : 8) {
                var samples = Samples(seed: random.next(), size: variant)
                corpus.append(try samples.frame(kind).encoded(session: 1, sequence: 2, sentAt: 3))
            }
        }
    }

    /// Makes the header's body length that of the frame.
    static func repair(_ bytes: inout [UInt8]) {
        guard bytes.count >= FrameHeader.size else { return }
        store(UInt32(bytes.count - FrameHeader.size), at: 8, in: &bytes)
    }

    mutating func mutate(into bytes: inout [UInt8]) {
        bytes = corpus[random.below(corpus.count)]
        for _ in 0...random.below(3) {
            switch random.below(8) {
            case 0, 1: flip(&bytes)
            case 2: set(&bytes)
            case 3: truncate(&bytes)
            case 4: extend(&bytes)
            case 5, 6: inflate(&bytes)
            default: splice(&bytes)
            }
        }
        if random.below(4) > 0 { Self.repair(&bytes) }
    }

    private static func store(_ value: UInt32, at offset: Int, in bytes: inout [UInt8]) {
        for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
    }

    private mutating func flip(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8))
    }

    private mutating func set(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        let values: [UInt8] = [0, 1, 2, 0x7f, 0x80, 0xc0, 0xfe, 0xff]
        bytes[random.below(bytes.count)] = values[random.below(values.count)]
    }

    private mutating func truncate(_ bytes: inout [UInt8]) {
        bytes.removeLast(random.below(bytes.count + 1))
    }

    private mutating func extend(_ bytes: inout [UInt8]) {
        for _ in 0...random.below(12) { bytes.append(UInt8(truncatingIfNeeded: random.next())) }
    }

    /// Writes a number that is large, or just wrong, where a count may stand.
    private mutating func inflate(_ bytes: inout [UInt8]) {
        guard bytes.count >= FrameHeader.size + 4 else { return }
        let values: [UInt32] = [
            0, 1, 3, 16, 17, 255, 256, 4096, 4097, 65_535, 65_536, 1 << 20, 1 << 24, 0x7fff_ffff, 0x8000_0000,
            0xffff_fffc, 0xffff_ffff, UInt32(bytes.count), UInt32(bytes.count - FrameHeader.size),
        ]
        let offset = FrameHeader.size + random.below(bytes.count - FrameHeader.size - 3)
        Self.store(values[random.below(values.count)], at: offset, in: &bytes)
    }

    /// The beginning of one frame and the end of another.
    private mutating func splice(_ bytes: inout [UInt8]) {
        let other = corpus[random.below(corpus.count)]
        bytes.removeLast(random.below(bytes.count + 1))
        bytes += other.suffix(random.below(other.count + 1))
    }
}
