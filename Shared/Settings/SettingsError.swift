/// Why a program cannot start with the settings that it was given. Holds every problem, not only the first.
public struct SettingsError: Error, Equatable, Sendable {
    /// One setting that is wrong.
    public struct Problem: Equatable, Sendable, CustomStringConvertible {
        /// Name of the setting, as in its flag without the dashes; nil where the command line itself is wrong.
        public var setting: String?
        /// Where its value stands; nil where that is not known.
        public var source: SettingSource?
        /// What is wrong.
        public var message: String

        public var description: String {
            (setting.map { "\($0): " } ?? "") + message + (source.map { " (\($0))" } ?? "")
        }
    }

    /// Exit status of a program that ends for this error: `EX_USAGE` of sysexits.h.
    public static let exitStatus: Int32 = 64

    public var problems: [Problem]

    init(_ problems: [Problem]) { self.problems = problems }

    /// A problem that only several settings together show, or only the use of one.
    public init(_ setting: String, _ message: String) {
        problems = [Problem(setting: setting, message: message)]
    }

    /// Runs `body`, which uses the value of a setting; what it throws is told as a problem of that.
    public static func naming<Value>(
        _ setting: String, _ body: () throws -> Value
    ) throws(SettingsError) -> Value {
        do { return try body() } catch { throw SettingsError(setting, "\(error)") }
    }

    /// Lines for a terminal: one per problem, then where help is.
    public func text(program: String) -> String {
        (problems.map { "\($0)" } + ["--help lists the settings"]).map { "\(program): \($0)" }.joined(separator: "\n")
    }
}

extension SettingsError: CustomStringConvertible {
    public var description: String { problems.map { "\($0)" }.joined(separator: "; ") }
}

/// Where the value of a setting came from.
public enum SettingSource: Equatable, Sendable {
    case flag(String)
    case environment(String)
    case file(String)
}

extension SettingSource: CustomStringConvertible {
    public var description: String {
        switch self {
        case .flag(let name): "from the command line, \(name)"
        case .environment(let name): "from the environment, \(name)"
        case .file(let path): "from the file \(path)"
        }
    }
}
