extension Accelerator {
    /// Accelerators with known figures. "InferenceX" is SemiAnalysisAI/InferenceX-app at 77ca49a6 (2026-04-03),
    /// `gpu-specs.ts` for memory, bandwidth and arithmetic and `constants.ts` for all-in power.
    public static let catalogue: [Accelerator] = [
        Accelerator(
            "h100", "NVIDIA H100 SXM", memory: 80, bandwidth: 3.35, teraflops: (989, 1979, nil), power: 700,
            allIn: 1.73, source: "InferenceX; TDP haink.org"),
        Accelerator(
            "h200", "NVIDIA H200 SXM", memory: 141, bandwidth: 4.8, teraflops: (989, 1979, nil), power: 700,
            allIn: 1.73, source: "InferenceX; TDP saulelectric.com"),
        Accelerator(
            "b200", "NVIDIA B200 SXM", memory: 180, bandwidth: 8, teraflops: (2250, 4500, 9000), power: 1000,
            allIn: 2.17, source: "InferenceX; TDP glennklockwood.com/garden/processors/B200"),
        Accelerator(
            "b300", "NVIDIA B300 SXM", memory: 268, bandwidth: 8, teraflops: (2250, 4500, 13500), power: nil,
            allIn: 2.17, source: "InferenceX; no TDP published"),
        Accelerator(
            "gb200", "NVIDIA GB200 NVL72, one GPU", memory: 192, bandwidth: 8, teraflops: (2500, 5000, 10000),
            power: 1200, allIn: 2.10, source: "InferenceX; TDP glennklockwood.com, 1,200 W configuration"),
        Accelerator(
            "gb300", "NVIDIA GB300 NVL72, one GPU", memory: 288, bandwidth: 8, teraflops: (2500, 5000, 15000),
            power: nil, allIn: 2.10, source: "InferenceX; no TDP published"),
        Accelerator(
            "mi300x", "AMD MI300X", memory: 192, bandwidth: 5.3, teraflops: (1307, 2615, nil), power: 750,
            allIn: 1.79, source: "InferenceX; TDP jaredwatkins.com, gpu.blog"),
        Accelerator(
            "mi325x", "AMD MI325X", memory: 256, bandwidth: 6, teraflops: (1307, 2615, nil), power: nil,
            allIn: 2.18, source: "InferenceX; no TDP in the sources"),
        Accelerator(
            "mi355x", "AMD MI355X", memory: 288, bandwidth: 8, teraflops: (2516, 5033, 10066), power: 1400,
            allIn: 2.65, source: "InferenceX; TDP InferenceMAX blog 2025-10-09"),
        Accelerator(
            "l40s", "NVIDIA L40S", memory: 48, bandwidth: 0.864, teraflops: (362, 733, nil), power: 350, allIn: nil,
            source: "NVIDIA datasheet as tabulated by mullet.se"),
        Accelerator(
            "l4", "NVIDIA L4", memory: 24, bandwidth: 0.30, teraflops: (121, 242, nil), power: 72, allIn: nil,
            source: "NVIDIA datasheet, half of the sparse figures"),
    ]

    /// The catalogue's entry of this id, in any case of letters.
    public static func named(_ id: String) -> Accelerator? {
        let wanted = id.lowercased()
        return catalogue.first { $0.id == wanted }
    }
}
