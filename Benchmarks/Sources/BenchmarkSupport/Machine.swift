import Foundation

/// What the figures were measured on.
public struct Machine: Codable, Sendable {
    public let processor: String
    public let cores: Int
    /// Load average over a minute before the run: above a few tenths somebody else was there.
    public let loadBefore: Double

    /// Reads this machine's description now.
    public static func current() -> Machine {
        let cpu = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let model = cpu.split(separator: "\n").first { $0.hasPrefix("model name") }
        let load = (try? String(contentsOfFile: "/proc/loadavg", encoding: .utf8)) ?? ""
        return Machine(
            processor: model?.split(separator: ":").last.map { String($0.drop { $0 == " " }) } ?? "unknown",
            cores: ProcessInfo.processInfo.activeProcessorCount,
            loadBefore: load.split(separator: " ").first.flatMap { Double($0) } ?? 0)
    }

    public var text: String { "\(cores) cores, \(processor), load before \(loadBefore.text(2))" }
}
