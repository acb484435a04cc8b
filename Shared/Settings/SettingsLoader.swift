import Foundation

/// Reads a program's settings from its command line, its environment and a file, in that order, then the defaults.
///
/// ```swift
/// let loaded = SettingsLoader(program: "ingest", about: "…").loadOrExit { reader in
///     IngestSettings(&reader)
/// }
/// ```
public struct SettingsLoader: Sendable {
    /// What loading ends with.
    public enum Outcome<Settings> {
        /// Start with these.
        case loaded(Loaded<Settings>)
        /// `--help` was given: print this and end with status 0.
        case help(String)
    }

    /// Settings, and where each came from.
    public struct Loaded<Settings> {
        public var settings: Settings
        /// In order of declaration; for the log at start.
        public var effective: [EffectiveSetting]
    }

    private let program: String
    private let about: String
    private let arguments: [String]
    private let environment: [String: String]

    /// - Parameters:
    ///   - about: One sentence: what the program does.
    ///   - arguments: The program's name and its arguments.
    ///   - environment: Nil: this process's.
    public init(
        program: String, about: String, arguments: [String] = CommandLine.arguments,
        environment: [String: String]? = nil
    ) {
        self.program = program
        self.about = about
        self.arguments = arguments
        self.environment = environment ?? ProcessInfo.processInfo.environment
    }

    /// Runs `declare` once over the sources.
    public func load<Settings>(
        _ declare: (inout SettingsReader) -> Settings
    ) throws(SettingsError) -> Outcome<Settings> {
        let plain = arguments.map { $0 == "-h" ? "--help" : $0 }
        var sources = SettingSources(arguments: plain, environment: environment)
        let wantsHelp = plain.dropFirst().contains("--help")
        let fileName = "config"
        if !wantsHelp, let found = sources.find(fileName, list: false) {
            let path = found.texts.first ?? ""
            do { try sources.addFile(path) } catch {
                let message = "cannot use the file “\(path)”: \(error)"
                throw SettingsError(
                    program: program,
                    problems: [.init(setting: fileName, source: found.source, message: message)])
            }
        }
        var reader = SettingsReader(sources: sources)
        reader.declare(fileName, .path, "none", "JSON file of settings: an object whose keys are their names.")
        let settings = declare(&reader)
        reader.declare("help", .flag, "", "Print this and exit.")
        if wantsHelp { return .help(help(reader.declarations)) }

        let known = Dictionary(reader.declarations.map { ($0.name, $0.kind) }) { first, _ in first }
        let problems = sources.strangers(known: known) + reader.problems
        guard problems.isEmpty else { throw SettingsError(program: program, problems: problems) }
        return .loaded(Loaded(settings: settings, effective: reader.effective))
    }

    /// `load` for a `main`: help goes to standard output and ends with status 0, problems to standard error with 64.
    public func loadOrExit<Settings>(_ declare: (inout SettingsReader) -> Settings) -> Loaded<Settings> {
        do {
            switch try load(declare) {
            case .loaded(let loaded): return loaded
            case .help(let text):
                print(text)
                exit(0)
            }
        } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            exit(SettingsError.exitStatus)
        }
    }

    private func help(_ declarations: [SettingsReader.Declaration]) -> String {
        var lines = ["\(program): \(about)", "", "Each setting is a flag, else an environment variable, else a key of"]
        lines.append("the file given by --config, else its default.")
        for declaration in declarations {
            let value = declaration.kind == .flag ? "" : " <\(declaration.kind.rawValue)>"
            lines.append("")
            lines.append("  \(SettingSources.flag(declaration.name))\(value)")
            lines.append("      \(declaration.help)")
            guard declaration.name != "help" else { continue }
            lines.append("      \(SettingSources.variable(declaration.name)); default: \(declaration.defaultText)")
        }
        return lines.joined(separator: "\n")
    }
}
