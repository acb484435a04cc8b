public import Logging

/// How a program's log looks.
public enum LogFormat: String, CaseIterable, Sendable {
    /// Lines for people: time, level, label, message, `key=value`.
    case text
    /// One JSON object a line.
    case json
}

/// What to log, and how.
public struct LogSettings: Sendable {
    public var level: Logger.Level
    public var format: LogFormat

    public init(level: Logger.Level = .info, format: LogFormat = .text) {
        self.level = level
        self.format = format
    }

    /// Declares `log-level` and `log-format`.
    public init(_ reader: inout SettingsReader) {
        level = reader.choice("log-level", default: .info, help: "Least level that is logged.")
        format = reader.choice("log-format", default: .text, help: "Lines for people, or JSON objects.")
    }

    /// A logger that writes lines to standard error.
    ///
    /// - Parameter fields: In every line: the instance's name, and the like.
    public func makeLogger(_ label: String, fields: Logger.Metadata = [:]) -> Logger {
        var logger = Logger(label: label) {
            LineLogHandler(label: $0, format: format, write: LineLogHandler.standardError)
        }
        logger.logLevel = level
        for (key, value) in fields { logger[metadataKey: key] = value }
        return logger
    }
}
