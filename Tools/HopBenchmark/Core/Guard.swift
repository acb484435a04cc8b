import Formats
import Foundation

/// Ratios that must not grow: each of something of ours over a floor that was measured in the same run, so that the
/// machine's own speed drops out.
public struct GuardBaseline: Codable, Equatable, Sendable {
    public struct Entry: Codable, Equatable, Sendable {
        /// What it was when the file was written.
        public var baseline: Double
        /// Beyond this the guard fails.
        public var limit: Double
    }

    public var ratios: [String: Entry]

    /// A baseline from measured ratios, with so much room to grow.
    public init(measured: [String: Double], room: Double) {
        ratios = measured.mapValues { value in
            Entry(baseline: Self.rounded(value), limit: Self.rounded(value * room))
        }
    }

    public init(path: String) throws {
        self = try JSONDecoder().decode(GuardBaseline.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    }

    private static func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }

    /// Every entry of the file beside what was measured now; one that was not measured fails.
    public func judge(_ measured: [String: Double]) -> GuardVerdict {
        GuardVerdict(
            lines: ratios.sorted { $0.key < $1.key }.map { name, entry in
                GuardVerdict.Line(
                    name: name, measured: measured[name], baseline: entry.baseline, limit: entry.limit)
            })
    }
}

/// What the guard found.
public struct GuardVerdict: Equatable, Sendable {
    public struct Line: Equatable, Sendable {
        public var name: String
        public var measured: Double?
        public var baseline: Double
        public var limit: Double

        public var isWithin: Bool { measured.map { $0 <= limit } ?? false }
    }

    public var lines: [Line]

    public var isWithin: Bool { !lines.isEmpty && lines.allSatisfy(\.isWithin) }

    /// A table for people.
    public var text: String {
        var columns = TextTable(["ratio", "now", "baseline", "limit", ""])
        for line in lines {
            columns.add([
                line.name, line.measured.map(FigureText.ratio) ?? "not measured", FigureText.ratio(line.baseline),
                FigureText.ratio(line.limit), line.isWithin ? "" : "BEYOND",
            ])
        }
        return "\(columns)\n"
    }
}

/// The quick subset of all benchmarks whose ratios are guarded.
public struct GuardRun {
    private let programs: String
    private let onProgress: (String) -> Void

    public init(programs: String, onProgress: @escaping (String) -> Void = { _ in }) {
        self.programs = programs
        self.onProgress = onProgress
    }

    /// - Returns: the ratios by name, and whether the machine held still meanwhile.
    public func perform() async throws(BenchError) -> (ratios: [String: Double], isStable: Bool) {
        var hop = HopSettings()
        hop.links = [HopLink(.tcp)]
        hop.bodies = [64, 1024]
        hop.modes = [.hot, .saturated]
        // Where the scheduler puts threads stays for a while: many short rounds see more of it than few long ones.
        hop.rounds = 11
        hop.effort = 0.4
        let hops = try await HopRun(hop, onProgress: onProgress).perform()
        var line = LineBenchSettings(programs: programs)
        line.modes = [.hot]
        line.rounds = 9
        line.requests = 400
        let lines = try await LineRun(line, onProgress: onProgress).perform()
        return (Self.ratios(hops, lines), hops.floors.isStable && lines.floors.isStable)
    }

    static func ratios(_ hops: HopReport, _ lines: LineReport) -> [String: Double] {
        var ratios: [String: Double] = [:]
        for cell in hops.cells {
            if cell.mode == .saturated {
                // Turned around: more is worse, as everywhere in the file.
                ratios["hop.\(cell.name).processor"] = 1 / max(0.001, cell.perProcessorSecondRatio.median)
            } else {
                ratios["hop.\(cell.name).p50"] = cell.p50Ratio.median
                ratios["hop.\(cell.name).p99"] = cell.p99Ratio.median
            }
        }
        for door in lines.doors { ratios["line.\(door.door).\(door.mode.rawValue).p50"] = door.p50Ratio.median }
        ratios["line.stamping.p50"] = lines.stampingRatio.median
        return ratios
    }
}
