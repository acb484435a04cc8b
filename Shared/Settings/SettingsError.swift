/// Why a program cannot start with the settings that it was given. Holds every problem, not only the first.
public struct SettingsError: Error, Equatable, Sendable {
    /// One setting that is wrong.
    public struct Problem: Equatable, Sendable {
        /// Name of the setting, as in its flag without the dashes.
        public var setting: String
        /// Where its value stands: a flag, an environment variable or a file; nil where it stands nowhere.
        public var source: SettingSource?
        /// What is wrong. Never holds the value of a secret.
        public var message: String
    }

    /// Exit status of a program that ends for this error: `EX_USAGE` of sysexits.h.
    public static let exitStatus: Int32 = 64

    public var program: String
    public var problems: [Problem]
}

extension SettingsError: CustomStringConvertible {
    /// Lines for a terminal: one per problem, then where help is.
    public var description: String {
        var lines = problems.map { problem in
            let from = problem.source.map { " (\($0))" } ?? ""
            return "\(program): \(problem.setting): \(problem.message)\(from)"
        }
        lines.append("\(program): --help lists the settings")
        return lines.joined(separator: "\n")
    }
}

/// Where the value of a setting came from.
public enum SettingSource: Equatable, Sendable {
    case flag(String)
    case environment(String)
    case file(String)
    case defaultValue
}

extension SettingSource: CustomStringConvertible {
    public var description: String {
        switch self {
        case .flag(let name): "from the command line, \(name)"
        case .environment(let name): "from the environment, \(name)"
        case .file(let path): "from the file \(path)"
        case .defaultValue: "default"
        }
    }
}
