public import ArgumentParser
import Foundation

/// The file of settings, which is the weakest of their sources.
public struct SettingsFile: ParsableArguments, Sendable {
    static let name = "config"

    @Option(
        name: .customLong(name),
        help: ArgumentHelp(
            "JSON file of settings: an object whose keys are their names. [\(SettingSources.variable(name)); "
                + "default: none]", valueName: "path"))
    public var path: String?

    public init() {}

    /// What `--config` says, before anything else of the command line is understood.
    static func path(in arguments: [String]) -> String? {
        struct Scan: ParsableArguments {
            @OptionGroup var file: SettingsFile
            @Argument(parsing: .allUnrecognized) var rest: [String] = []
        }
        return (try? Scan.parse(arguments))?.file.path
    }
}

extension ParsableCommand {
    /// Reads a program's settings: its command line, else its environment, else the file, else the defaults.
    /// - Parameters:
    ///   - arguments: Without the program's name.
    ///   - environment: Nil: this process's.
    /// - Throws: `SettingsError` with all that is wrong; an error of the parser, help among them, for `exit(withError:)`.
    public static func load(
        arguments: [String] = Array(CommandLine.arguments.dropFirst()),
        environment: [String: String]? = nil
    ) throws -> Self {
        // Whoever only asks is told of defaults, whatever stands elsewhere.
        let isQuestion = arguments.contains { ["--help", "-h", "--version"].contains($0) }
        let sources = try SettingSources(
            program: configuration.commandName ?? "", arguments: arguments,
            environment: isQuestion ? [:] : environment ?? ProcessInfo.processInfo.environment,
            file: isQuestion ? nil : SettingsFile.path(in: arguments))
        return try SettingSources.$current.withValue(sources) {
            do {
                let command = try parse(arguments)
                guard sources.problems.isEmpty else { throw SettingsError(sources.problems) }
                return command
            } catch let error as SettingsError {
                throw error
            } catch {
                // Help and the like are no fault, and a fault of the command line alone is the parser's to explain.
                guard exitCode(for: error) == .validationFailure, !sources.problems.isEmpty else { throw error }
                throw SettingsError(sources.problems + [.init(message: message(for: error))])
            }
        }
    }
}

/// The program whose settings are being read.
public enum Program {
    /// Its name: a default of settings that differ by program.
    public static var name: String {
        SettingSources.current?.program ?? CommandLine.arguments.first?.split(separator: "/").last.map { String($0) }
            ?? ""
    }
}
