import Configuration
import Foundation
import Synchronization

/// Where a program's settings stand beside its command line: the environment, then a file. Notes which settings there
/// are, and what is wrong with their values, so that all of it is told at once.
final class SettingSources: Sendable {
    /// Those of the program whose command line is being read.
    @TaskLocal static var current: SettingSources?

    /// The environment variable of a setting is this and its name in upper case, dashes as underscores.
    private static let prefix = "tokenfactory"

    /// The program's name.
    let program: String
    /// The flags on the command line, with dashes and without values: what they set is looked for nowhere else.
    private let given: Set<Substring>
    private let variables: KeyMappingProvider<EnvironmentVariablesProvider>
    private let file: (path: String, snapshot: JSONSnapshot, keys: [String])?

    private struct State {
        var names: Set<String> = []
        var flags: Set<String> = []
        var problems: [SettingsError.Problem] = []
    }
    private let state = Mutex(State())

    /// - Parameters:
    ///   - arguments: Without the program's name.
    ///   - file: The path that the command line gives; nil: the environment's, if it gives one.
    init(program: String, arguments: [String], environment: [String: String], file: String?) throws(SettingsError) {
        self.program = program
        given = Set(arguments.map { $0.prefix { $0 != "=" } })
        // Compose passes an unset variable on as an empty one.
        let variables = EnvironmentVariablesProvider(environmentVariables: environment.filter { !$0.value.isEmpty })
            .prefixKeys(with: ConfigKey([Self.prefix]))
        self.variables = variables
        guard let path = file ?? Self.text(of: SettingsFile.name, in: variables) else {
            self.file = nil
            return
        }
        do {
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            guard let object = try JSONSerialization.jsonObject(with: data) as? [String: Any] else {
                throw NoObject()
            }
            let snapshot = try JSONSnapshot(data: data.bytes, providerName: path, parsingOptions: .default)
            self.file = (path, snapshot, object.keys.sorted())
        } catch {
            throw SettingsError(SettingsFile.name, "cannot use the file “\(path)”: \(error)")
        }
    }

    private struct NoObject: Error, CustomStringConvertible {
        var description: String { "its top level is not a JSON object" }
    }

    static func variable(_ name: String) -> String {
        "\(prefix)_\(name)".uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
    }

    /// What was found wrong, and what the file has that is no setting.
    var problems: [SettingsError.Problem] {
        state.withLock { state in
            guard let file else { return state.problems }
            return file.keys.filter { !state.names.contains($0) && $0 != SettingsFile.name }.map {
                .init(setting: $0, source: .file(file.path), message: "no such setting")
            } + state.problems
        }
    }

    /// The value that a setting has by environment or file; nil if it stands in neither, or is wrong there.
    func value<Value>(of name: String, parse: (String) throws -> Value) -> Value? {
        let isNew = state.withLock { $0.names.insert(name).inserted }
        guard !given.contains("--\(name)"), !given.contains("--no-\(name)"), let (text, source) = find(name) else {
            return nil
        }
        do {
            return try parse(text ?? { throw WrongSetting("has no value that can be used") }())
        } catch {
            // The parser makes a program's options more than once.
            if isNew { note(name, text, source, error) }
            return nil
        }
    }

    /// The value that the command line gives to a setting; nil, and noted, if it is wrong.
    func flag<Value>(_ name: String, _ text: String, takesMany: Bool, parse: (String) throws -> Value) -> Value? {
        let source = SettingSource.flag("--" + name)
        let isFirst = state.withLock { $0.flags.insert(name).inserted }
        do {
            guard isFirst || takesMany else { throw WrongSetting("given more than once") }
            return try parse(text)
        } catch {
            note(name, text, source, error)
            return nil
        }
    }

    private func note(_ name: String, _ text: String?, _ source: SettingSource, _ error: any Error) {
        // What a parser of others throws says what is wrong, and not with what.
        let message = error is WrongSetting ? "\(error)" : "\(quoted(text ?? "")): \(error)"
        state.withLock { $0.problems.append(.init(setting: name, source: source, message: message)) }
    }

    private func find(_ name: String) -> (text: String?, source: SettingSource)? {
        if let text = Self.text(of: name, in: variables) { return (text, .environment(Self.variable(name))) }
        guard let file, file.keys.contains(name) else { return nil }
        return (Self.text(of: name, in: file.snapshot), .file(file.path))
    }

    /// A value as written on a command line, whatever its type in the source.
    private static func text(of name: String, in source: some ConfigSnapshot) -> String? {
        text { try source.value(forKey: AbsoluteConfigKey([name]), type: $0).value?.content }
    }

    private static func text(of name: String, in source: some ConfigProvider) -> String? {
        text { try source.value(forKey: AbsoluteConfigKey([name]), type: $0).value?.content }
    }

    private static func text(_ content: (ConfigType) throws -> ConfigContent?) -> String? {
        for type in [ConfigType.string, .stringArray, .int, .double, .bool] {
            switch try? content(type) {
            case .string(let text): return text
            case .stringArray(let texts): return texts.joined(separator: ",")
            case .int(let number): return "\(number)"
            case .double(let number): return "\(number)"
            case .bool(let flag): return "\(flag)"
            default: continue
            }
        }
        return nil
    }
}

/// Why a text is not the value of its setting.
struct WrongSetting: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
