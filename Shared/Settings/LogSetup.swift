public import ArgumentParser
public import Logging

/// How a program's log looks.
public enum LogFormat: String, CaseIterable, Sendable {
    /// Lines for people: time, level, label, message, `key=value`.
    case text
    /// One JSON object a line.
    case json
}

/// What to log, and how.
public struct LogSettings: ParsableArguments, Sendable {
    @Option("log-level", default: .info, help: "Least level that is logged.")
    public var level: Logger.Level
    @Option("log-format", default: .text, help: "Lines for people, or JSON objects.")
    public var format: LogFormat

    public init() {}

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
