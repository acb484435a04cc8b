import Configuration
import Foundation

/// The places where a setting's value can stand, strongest first: command line, environment, file.
struct SettingSources: Sendable {
    /// A value as written: one text, or several for a list.
    struct Found: Sendable {
        var texts: [String]
        var source: SettingSource
    }

    /// The environment variable of a setting is this and its name in upper case, dashes as underscores.
    static let environmentPrefix = "TOKENFACTORY_"

    private let arguments: [String]
    private let flags: CommandLineArgumentsProvider
    private let variables: KeyMappingProvider<EnvironmentVariablesProvider>
    private var file: (path: String, snapshot: JSONSnapshot, keys: [String])?

    /// - Parameter arguments: The program's name and its arguments.
    init(arguments: [String], environment: [String: String]) {
        self.arguments = arguments
        flags = CommandLineArgumentsProvider(arguments: arguments)
        // Compose passes an unset variable on as an empty one.
        variables = EnvironmentVariablesProvider(environmentVariables: environment.filter { !$0.value.isEmpty })
            .prefixKeys(with: "tokenfactory")
    }

    /// Adds the JSON file at `path` as the weakest source: an object whose keys are the settings' names.
    mutating func addFile(_ path: String) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        guard let object = try JSONSerialization.jsonObject(with: data) as? [String: Any] else {
            throw FileIsNoObject()
        }
        let snapshot = try JSONSnapshot(data: data.bytes, providerName: path, parsingOptions: .default)
        file = (path, snapshot, object.keys.sorted())
    }

    struct FileIsNoObject: Error, CustomStringConvertible {
        var description: String { "its top level is not a JSON object" }
    }

    static func flag(_ name: String) -> String { "--" + name }

    static func variable(_ name: String) -> String {
        environmentPrefix + name.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
    }

    /// The strongest value of a setting, or nil if it stands nowhere.
    func find(_ name: String, list: Bool) -> Found? {
        let key = AbsoluteConfigKey([name])
        if case .stringArray(let texts)? = content(flags, key, .stringArray) {
            return Found(texts: list ? texts : scalar(texts), source: .flag(Self.flag(name)))
        }
        let variable = SettingSource.environment(Self.variable(name))
        if list, case .stringArray(let texts)? = content(variables, key, .stringArray) {
            return Found(texts: texts, source: variable)
        }
        if !list, case .string(let text)? = content(variables, key, .string) {
            return Found(texts: [text], source: variable)
        }
        guard let file, file.keys.contains(name) else { return nil }
        return Found(texts: texts(of: key, in: file.snapshot), source: .file(file.path))
    }

    /// What stands on the command line or in the file and is no setting in `known`; where, and what to say of it.
    func strangers(known: [String: SettingKind]) -> [SettingsError.Problem] {
        var problems: [SettingsError.Problem] = []
        var seen: Set<String> = []
        var room = 0
        for argument in arguments.dropFirst() {
            guard argument.hasPrefix("--") else {
                if room == 0 {
                    problems.append(.init(setting: argument, source: nil, message: "not expected here"))
                }
                room = max(0, room - 1)
                continue
            }
            let name = String(argument.dropFirst(2).prefix { $0 != "=" })
            room = 0
            guard let kind = known[name] else {
                problems.append(.init(setting: "--" + name, source: nil, message: "no such setting"))
                room = .max
                continue
            }
            if !argument.contains("=") { room = kind == .list ? .max : 1 }
            if !seen.insert(name).inserted, kind != .list {
                problems.append(.init(setting: name, source: .flag("--" + name), message: "given more than once"))
            }
        }
        if let file {
            for key in file.keys where known[key] == nil {
                problems.append(.init(setting: key, source: .file(file.path), message: "no such setting"))
            }
        }
        return problems
    }

    /// The command-line provider splits values at commas; a scalar is put together again.
    private func scalar(_ texts: [String]) -> [String] {
        texts.isEmpty ? [] : [texts.joined(separator: ",")]
    }

    private func content(
        _ provider: some ConfigProvider, _ key: AbsoluteConfigKey, _ type: ConfigType
    ) -> ConfigContent? {
        // Texts and lists of texts convert from whatever these two providers hold, so nothing is lost here.
        try? provider.value(forKey: key, type: type).value?.content
    }

    private func texts(of key: AbsoluteConfigKey, in snapshot: JSONSnapshot) -> [String] {
        for type in [ConfigType.string, .stringArray, .int, .double, .bool, .intArray, .doubleArray] {
            guard let content = try? snapshot.value(forKey: key, type: type).value?.content else { continue }
            switch content {
            case .string(let text): return [text]
            case .stringArray(let texts): return texts
            case .int(let number): return ["\(number)"]
            case .double(let number): return ["\(number)"]
            case .bool(let flag): return ["\(flag)"]
            case .intArray(let numbers): return numbers.map { "\($0)" }
            case .doubleArray(let numbers): return numbers.map { "\($0)" }
            default: continue
            }
        }
        return []
    }
}

/// What a setting's value is; `--help` says it, and the command line is checked by it.
enum SettingKind: String, Sendable {
    case text
    case path
    case number
    case flag
    case duration
    case size
    case list
    case choice
    case secret
}
