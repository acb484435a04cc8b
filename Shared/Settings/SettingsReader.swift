/// Declares a program's settings and reads them in one pass.
///
/// A program writes one initializer that calls a method here for each of its settings; each call is declaration,
/// documentation and access at once, so that `--help` cannot differ from what is read. A wrong value is noted, the
/// default returned, and `SettingsLoader` refuses to start with all that was noted.
///
/// Names are lower case with dashes: `client-door` is the flag `--client-door`, the environment variable
/// `TOKENFACTORY_CLIENT_DOOR` and the key `client-door` of the file.
public struct SettingsReader {
    /// One setting as `--help` shows it.
    struct Declaration {
        var name: String
        var kind: SettingKind
        var defaultText: String
        var help: String
    }

    private(set) var declarations: [Declaration] = []
    private(set) var effective: [EffectiveSetting] = []
    private(set) var problems: [SettingsError.Problem] = []
    private let sources: SettingSources

    init(sources: SettingSources) {
        self.sources = sources
    }

    /// A text.
    public mutating func string(_ name: String, default fallback: String, help: String) -> String {
        read(name, .text, fallback: fallback, shown: fallback, help) { .success($0) }
    }

    /// A text that may be absent.
    public mutating func optionalString(_ name: String, help: String) -> String? {
        read(name, .text, fallback: nil, shown: "none", help) { .success($0) }
    }

    /// A text without a default: its absence is a problem.
    public mutating func requiredString(_ name: String, help: String) -> String {
        required(name, .text, help)
    }

    /// A path in the file system, as written.
    public mutating func path(_ name: String, default fallback: String, help: String) -> String {
        read(name, .path, fallback: fallback, shown: fallback, help) { .success($0) }
    }

    /// A path that may be absent.
    public mutating func optionalPath(_ name: String, help: String) -> String? {
        read(name, .path, fallback: nil, shown: "none", help) { .success($0) }
    }

    /// A path without a default: its absence is a problem.
    public mutating func requiredPath(_ name: String, help: String) -> String {
        required(name, .path, help)
    }

    /// A value that nothing prints.
    public mutating func secret(_ name: String, help: String) -> Secret? {
        read(name, .secret, fallback: nil, shown: "none", help) { .success(Secret($0)) }
    }

    /// A whole number in a range.
    public mutating func int(_ name: String, default fallback: Int, in range: ClosedRange<Int>, help: String) -> Int {
        let shown = "\(fallback); \(range.lowerBound) to \(range.upperBound)"
        return read(name, .number, fallback: fallback, shown: shown, help) { text in
            guard let number = Int(text) else { return .failure(.init("\(quoted(text)) is not a whole number")) }
            return Self.within(number, range) { "\($0)" }
        }
    }

    /// A number in a range.
    public mutating func double(
        _ name: String, default fallback: Double, in range: ClosedRange<Double>, help: String
    ) -> Double {
        let shown = "\(fallback); \(range.lowerBound) to \(range.upperBound)"
        return read(name, .number, fallback: fallback, shown: shown, help) { text in
            guard let number = Double(text), number.isFinite else {
                return .failure(.init("\(quoted(text)) is not a number"))
            }
            return Self.within(number, range) { "\($0)" }
        }
    }

    /// Yes or no; the flag alone means yes.
    public mutating func bool(_ name: String, default fallback: Bool, help: String) -> Bool {
        read(name, .flag, fallback: fallback, shown: "\(fallback)", help) { text in
            switch text.lowercased() {
            case "", "true", "yes", "on", "1": .success(true)
            case "false", "no", "off", "0": .success(false)
            default: .failure(.init("\(quoted(text)) is neither true nor false"))
            }
        }
    }

    /// A time span with its unit: `250ms`, `5s`, `2m`.
    public mutating func duration(
        _ name: String, default fallback: Duration, in range: ClosedRange<Duration>, help: String
    ) -> Duration {
        let shown =
            "\(Units.text(fallback)); \(Units.text(range.lowerBound)) to \(Units.text(range.upperBound))"
        return read(name, .duration, fallback: fallback, shown: shown, help) { text in
            guard let duration = Units.duration(text) else {
                return .failure(.init("\(quoted(text)) is not a time span such as 250ms or 5s"))
            }
            return Self.within(duration, range) { Units.text($0) }
        }
    }

    /// `duration` in nanoseconds, as protocol code counts time.
    public mutating func nanoseconds(
        _ name: String, default fallback: Duration, in range: ClosedRange<Duration>, help: String
    ) -> UInt64 {
        Units.nanoseconds(duration(name, default: fallback, in: range, help: help))
    }

    /// A count of bytes: `4096`, `64KiB`, `10MB`.
    public mutating func bytes(_ name: String, default fallback: Int, in range: ClosedRange<Int>, help: String) -> Int {
        let shown =
            "\(Units.text(bytes: fallback)); \(Units.text(bytes: range.lowerBound)) to "
            + Units.text(bytes: range.upperBound)
        return read(name, .size, fallback: fallback, shown: shown, help) { text in
            guard let bytes = Units.bytes(text) else {
                return .failure(.init("\(quoted(text)) is not a byte count such as 4096 or 64KiB"))
            }
            return Self.within(bytes, range) { Units.text(bytes: $0) }
        }
    }

    /// Texts: comma-separated, or a repeated flag, or an array in the file. Blanks around them and empty ones go.
    public mutating func list(_ name: String, default fallback: [String], help: String) -> [String] {
        declare(name, .list, fallback.isEmpty ? "none" : fallback.joined(separator: ","), help)
        guard let found = sources.find(name, list: true) else {
            note(name, fallback.joined(separator: ","), .defaultValue)
            return fallback
        }
        let texts = found.texts.flatMap { $0.split(separator: ",") }
            .map { $0.trimmed }.filter { !$0.isEmpty }
        note(name, texts.joined(separator: ","), found.source)
        return texts
    }

    /// One of the cases of an enumeration, by raw value.
    public mutating func choice<Choice>(_ name: String, default fallback: Choice, help: String) -> Choice
    where Choice: RawRepresentable & CaseIterable, Choice.RawValue == String {
        let all = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        return read(name, .choice, fallback: fallback, shown: "\(fallback.rawValue); one of \(all)", help) { text in
            guard let choice = Choice(rawValue: text) else {
                return .failure(.init("\(quoted(text)) is none of \(all)"))
            }
            return .success(choice)
        }
    }

    /// A text that `parse` turns into a value; what it throws is told as the problem.
    public mutating func value<Value>(
        _ name: String, default fallback: String, help: String, parse: (String) throws -> Value
    ) -> Value? {
        read(name, .text, fallback: nil, fallbackText: fallback, shown: fallback, help) {
            text -> Result<Value?, Wrong> in
            do { return .success(try parse(text)) } catch { return .failure(.init("\(quoted(text)): \(error)")) }
        }
    }

    /// Notes a problem that only several settings together show.
    public mutating func refuse(_ setting: String, because message: String) {
        problems.append(
            .init(setting: setting, source: effective.last { $0.name == setting }?.source, message: message))
    }

    /// Declares `--help` and the like, which the loader itself answers.
    mutating func declare(_ name: String, _ kind: SettingKind, _ defaultText: String, _ help: String) {
        declarations.append(Declaration(name: name, kind: kind, defaultText: defaultText, help: help))
    }

    private struct Wrong: Error {
        var message: String
        init(_ message: String) { self.message = message }
    }

    private mutating func required(_ name: String, _ kind: SettingKind, _ help: String) -> String {
        let text: String? = read(name, kind, fallback: nil, shown: "required", help) { .success($0) }
        if text == nil {
            problems.append(.init(setting: name, source: nil, message: "required, and given nowhere"))
        }
        return text ?? ""
    }

    private mutating func read<Value>(
        _ name: String, _ kind: SettingKind, fallback: Value, fallbackText: String? = nil, shown: String,
        _ help: String, parse: (String) -> Result<Value, Wrong>
    ) -> Value {
        declare(name, kind, shown, help)
        let found = sources.find(name, list: false)
        guard let text = found.map({ $0.texts.first ?? "" }) ?? fallbackText else {
            note(name, shown.prefix { $0 != ";" }.description, .defaultValue)
            return fallback
        }
        let source = found?.source ?? .defaultValue
        if let found, found.texts.count > 1 || (found.texts.isEmpty && kind != .flag) {
            let message = found.texts.isEmpty ? "has no value that can be used" : "takes one value"
            problems.append(.init(setting: name, source: source, message: message))
            return fallback
        }
        switch parse(text) {
        case .success(let value):
            note(name, kind == .secret ? "<secret>" : text, source)
            return value
        case .failure(let wrong):
            problems.append(.init(setting: name, source: source, message: wrong.message))
            return fallback
        }
    }

    private mutating func note(_ name: String, _ text: String, _ source: SettingSource) {
        effective.append(EffectiveSetting(name: name, text: text, source: source))
    }

    private static func within<Number: Comparable>(
        _ number: Number, _ range: ClosedRange<Number>, _ text: (Number) -> String
    ) -> Result<Number, Wrong> {
        guard range.contains(number) else {
            let message = "\(text(number)) is not in \(text(range.lowerBound)) to \(text(range.upperBound))"
            return .failure(.init(message))
        }
        return .success(number)
    }
}

/// A setting's value as it is in force.
public struct EffectiveSetting: Equatable, Sendable {
    public var name: String
    /// The value as written; `<secret>` for a secret.
    public var text: String
    public var source: SettingSource
}

private func quoted(_ text: String) -> String {
    let shown = text.count > 80 ? text.prefix(80) + "…" : text[...]
    return "“\(shown)”"
}

extension Substring {
    fileprivate var trimmed: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}
