import Foundation

/// What a run was measured on.
public struct Machine: Codable, Equatable, Sendable {
    public var cpu: String
    public var cores: Int
    public var kernel: String
    /// Whether the processor says that a hypervisor is above it.
    public var isVirtual: Bool
    /// Processes that wanted a core in the last minute, before the run began.
    public var load: Double

    static func current() -> Machine {
        let info = text("/proc/cpuinfo")
        return Machine(
            cpu: field("model name", in: info) ?? "unknown", cores: ProcessInfo.processInfo.activeProcessorCount,
            kernel: text("/proc/sys/kernel/osrelease").trimmingCharacters(in: .whitespacesAndNewlines),
            isVirtual: (field("flags", in: info) ?? "").split(separator: " ").contains("hypervisor"),
            load: Double(text("/proc/loadavg").split(separator: " ").first ?? "") ?? 0)
    }

    /// One line for people.
    public var line: String {
        "\(cpu), \(cores) cores\(isVirtual ? ", virtual machine" : ""), Linux \(kernel), load \(load)"
    }

    private static func text(_ path: String) -> String {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    static func field(_ name: String, in info: String) -> String? {
        for line in info.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].trimmingCharacters(in: .whitespaces) == name else { continue }
            return parts[1].trimmingCharacters(in: .whitespaces)
        }
        return nil
    }
}
