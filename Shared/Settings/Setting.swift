public import ArgumentParser

// Settings are ordinary options of swift-argument-parser that can also stand in the environment or in a file. Each of
// these initializers declares a flag, its variable, its key in the file, its default, its bounds and its help at once:
//
//     @Option("slots", default: 16, in: 1...8192, help: "Requests to hold at once.") var slots: Int
//
// is the flag `--slots`, the variable `TOKENFACTORY_SLOTS` and the key `slots` of the file. What stands in environment
// or file is read when the parser makes the option, as its initial value; a flag then replaces it.

extension Option where Value: Sendable {
    /// A setting whose value `parse` makes of a text; what that throws is told as the problem.
    /// - Parameters:
    ///   - shown: The default as help shows it, with the bounds.
    ///   - kind: What is to be given, in one word.
    public init(
        setting name: String, default fallback: Value, shown: String, as kind: String, help: String,
        parse: @escaping @Sendable (String) throws -> Value
    ) {
        let sources = SettingSources.current
        self.init(
            wrappedValue: sources?.value(of: name, parse: parse) ?? fallback, name: .customLong(name),
            help: ArgumentHelp(describe(name, help, shown), valueName: kind)
        ) { text in
            guard let sources else { return try parse(text) }
            return sources.flag(name, text, takesMany: false, parse: parse) ?? fallback
        }
    }

    /// A whole number within bounds.
    public init(_ name: String, default fallback: Int, in range: ClosedRange<Int>, help: String) where Value == Int {
        self.init(setting: name, default: fallback, shown: bounds(fallback, range), as: "number", help: help) { text in
            guard let number = Int(text) else { throw WrongSetting("\(quoted(text)) is not a whole number") }
            return try within(number, range)
        }
    }

    /// A number within bounds.
    public init(_ name: String, default fallback: Double, in range: ClosedRange<Double>, help: String)
    where Value == Double {
        self.init(setting: name, default: fallback, shown: bounds(fallback, range), as: "number", help: help) { text in
            guard let number = Double(text), number.isFinite else {
                throw WrongSetting("\(quoted(text)) is not a number")
            }
            return try within(number, range)
        }
    }

    /// A count of bytes: `4096`, `64KiB`, `10MB`.
    public init(_ name: String, bytes fallback: Int, in range: ClosedRange<Int>, help: String) where Value == Int {
        let shown = bounds(fallback, range) { Units.text(bytes: $0) }
        self.init(setting: name, default: fallback, shown: shown, as: "size", help: help) { text in
            guard let bytes = Units.bytes(text) else {
                throw WrongSetting("\(quoted(text)) is not a byte count such as 4096 or 64KiB")
            }
            return try within(bytes, range) { Units.text(bytes: $0) }
        }
    }

    /// A time span with its unit, `250ms`, `5s`, `2m`, in nanoseconds, as protocol code counts time.
    public init(_ name: String, default fallback: Duration, in range: ClosedRange<Duration>, help: String)
    where Value == UInt64 {
        self.init(
            setting: name, default: Units.nanoseconds(fallback), shown: bounds(fallback, range) { Units.text($0) },
            as: "duration", help: help
        ) { text in
            guard let duration = Units.duration(text) else {
                throw WrongSetting("\(quoted(text)) is not a time span such as 250ms or 5s")
            }
            return Units.nanoseconds(try within(duration, range) { Units.text($0) })
        }
    }

    /// A text.
    public init(_ name: String, default fallback: String, as kind: String = "text", help: String)
    where Value == String {
        self.init(setting: name, default: fallback, shown: fallback, as: kind, help: help) { $0 }
    }

    /// A text that may be absent.
    public init(_ name: String, as kind: String = "text", help: String) where Value == String? {
        self.init(setting: name, default: nil, shown: "none", as: kind, help: help) { $0 }
    }

    /// One of the cases of an enumeration, by raw value.
    public init(_ name: String, default fallback: Value, help: String)
    where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
        let all = Value.allCases.map(\.rawValue).joined(separator: ", ")
        self.init(
            setting: name, default: fallback, shown: "\(fallback.rawValue); one of \(all)", as: "choice", help: help
        ) { text in
            guard let choice = Value(rawValue: text) else { throw WrongSetting("\(quoted(text)) is none of \(all)") }
            return choice
        }
    }

    /// Several values, of which `parse` makes each: separated by commas, or a repeated flag, or an array in the file.
    /// Blanks around them and empty ones go. An element for each time that the flag is given.
    public init<Element: Sendable>(
        _ name: String, default fallback: [Element], help: String,
        parse: @escaping @Sendable (String) throws -> Element
    ) where Value == [[Element]] {
        let sources = SettingSources.current
        let each: @Sendable (String) throws -> [Element] = { text in
            try text.split(separator: ",").map { $0.trimmed }.filter { !$0.isEmpty }.map(parse)
        }
        let shown = fallback.isEmpty ? "none" : fallback.map { "\($0)" }.joined(separator: ",")
        self.init(
            wrappedValue: [sources?.value(of: name, parse: each) ?? fallback], name: .customLong(name),
            parsing: .upToNextOption, help: ArgumentHelp(describe(name, help, shown), valueName: "list")
        ) { text in
            guard let sources else { return try each(text) }
            return sources.flag(name, text, takesMany: true, parse: each) ?? fallback
        }
    }
}

extension Flag where Value == Bool {
    /// Yes or no: `--name` and `--no-name`; in environment and file `true` and `false`.
    public init(_ name: String, default fallback: Bool = false, help: String) {
        let initial = SettingSources.current?.value(of: name) { text in
            switch text.lowercased() {
            case "true", "yes", "on", "1": true
            case "false", "no", "off", "0": false
            default: throw WrongSetting("\(quoted(text)) is neither true nor false")
            }
        }
        self.init(
            wrappedValue: initial ?? fallback, name: .customLong(name), inversion: .prefixedNo,
            help: "\(help) [\(SettingSources.variable(name))]")
    }
}

private func describe(_ name: String, _ help: String, _ shown: String) -> String {
    "\(help) [\(SettingSources.variable(name)); default: \(shown)]"
}

private func bounds<Number>(
    _ fallback: Number, _ range: ClosedRange<Number>, _ text: (Number) -> String = { "\($0)" }
) -> String {
    "\(text(fallback)); \(text(range.lowerBound)) to \(text(range.upperBound))"
}

private func within<Number>(
    _ number: Number, _ range: ClosedRange<Number>, _ text: (Number) -> String = { "\($0)" }
) throws -> Number {
    guard range.contains(number) else {
        throw WrongSetting("\(text(number)) is not in \(text(range.lowerBound)) to \(text(range.upperBound))")
    }
    return number
}

func quoted(_ text: String) -> String {
    let shown = text.count > 80 ? text.prefix(80) + "…" : text[...]
    return "“\(shown)”"
}

extension Substring {
    fileprivate var trimmed: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}
