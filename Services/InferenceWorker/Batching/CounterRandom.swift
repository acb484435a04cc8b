/// Random numbers as a function of a seed and a counter, so that whoever goes on with a sequence needs no state:
/// SplitMix64's output function (Steele, Lea, Flood 2014) over both.
public enum CounterRandom {
    /// 64 bits.
    public static func bits(seed: UInt64, counter: UInt64) -> UInt64 {
        mix(mix(seed &+ 0x9e37_79b9_7f4a_7c15) ^ mix(counter &* 0x9e37_79b9_7f4a_7c15 &+ 0xd1b5_4a32_d192_ed03))
    }

    /// Uniform in [0, 1), with 53 bits.
    public static func unit(seed: UInt64, counter: UInt64) -> Double {
        Double(bits(seed: seed, counter: counter) >> 11) * 0x1p-53
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
