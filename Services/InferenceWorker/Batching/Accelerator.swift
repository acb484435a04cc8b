/// A number format of weights and arithmetic.
public enum Precision: String, Sendable, CaseIterable {
    case bf16, fp8, fp4

    public var bytesPerWeight: Double {
        switch self {
        case .bf16: 2
        case .fp8: 1
        case .fp4: 0.5
        }
    }
}

/// An accelerator as a roofline sees it. Vendors' figures: dense, not sparse, arithmetic.
public struct Accelerator: Equatable, Sendable {
    /// For instance `h100`.
    public let id: String
    public let name: String
    public let memoryBytes: Double
    /// Bytes per second.
    public let memoryBandwidth: Double
    /// FLOPs per second; nil where the accelerator, or a figure for it, does not exist.
    public let bf16: Double?
    public let fp8: Double?
    public let fp4: Double?
    /// Watts; nil where none is published.
    public let thermalDesignPower: Double?
    /// Watts that the site provides for each accelerator: its share of host, network and cooling included.
    public let allInPower: Double?
    /// Where the figures are from.
    public let source: String

    /// - Parameters:
    ///   - memory: GB.
    ///   - bandwidth: TB/s.
    ///   - teraflops: BF16, FP8, FP4.
    ///   - power: TDP in watts.
    ///   - allIn: kW.
    public init(
        _ id: String, _ name: String, memory: Double, bandwidth: Double,
        teraflops: (bf16: Double, fp8: Double?, fp4: Double?), power: Double?, allIn: Double?, source: String
    ) {
        self.id = id
        self.name = name
        memoryBytes = memory * 1e9
        memoryBandwidth = bandwidth * 1e12
        bf16 = teraflops.bf16 * 1e12
        fp8 = teraflops.fp8.map { $0 * 1e12 }
        fp4 = teraflops.fp4.map { $0 * 1e12 }
        thermalDesignPower = power
        allInPower = allIn.map { $0 * 1000 }
        self.source = source
    }

    /// FLOPs per second at a precision; where the accelerator lacks that, at the next wider one that it has.
    public func peak(_ precision: Precision) -> Double {
        switch precision {
        case .fp4: fp4 ?? fp8 ?? bf16 ?? 0
        case .fp8: fp8 ?? bf16 ?? 0
        case .bf16: bf16 ?? 0
        }
    }
}
